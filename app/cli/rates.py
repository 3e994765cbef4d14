"""Error rates in words."""

from app.recognition.decisions.stated_rates import StatedRate

_AS_SHARE = 0.01  # and above: "3 %", not "1 in 33"
_MILLION = 1_000_000


def rate_in_words(rate: StatedRate) -> str:
    """Return a rate with its range: "1 in 3,000 to 1 in 12,000", "below 1 in 10 million", "28 to 34 %"."""
    if rate.value is None or rate.range is None:
        return "unknown"
    low, high = rate.range
    if not low:
        return f"below {_one_in(high)}"
    if rate.value >= _AS_SHARE:
        least, most = (format(float(format(each * 100, ".2g")), "g") for each in (low, high))
        return f"{least} %" if least == most else f"{least} to {most} %"
    rare, frequent = _one_in(low), _one_in(high)
    return rare if rare == frequent else f"{frequent} to {rare}"


def _one_in(rate: float) -> str:
    """Return "1 in 3,000" for a rate of 1/3,000, to two significant digits."""
    number = float(f"{1 / rate:.2g}")
    return f"1 in {number / _MILLION:g} million" if number >= _MILLION else f"1 in {number:,.0f}"
