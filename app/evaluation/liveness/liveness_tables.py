"""Tables of the report on presentation attack detection. Pure."""

from collections.abc import Iterator
from typing import Any

from app.evaluation.report import Report

VERDICT_HEADER = ("photos of", "photos", "people", "no face", "live", "uncertain", "attack", "error", "95 % interval")
FIGURE_HEADER = ("figure", "value", "95 % interval")
TITLES = {"real": "Real attacks", "simulated": "Simulated attacks"}


def sections(report: Report) -> Iterator[tuple[str, Report]]:
    """Yield the title and the content of real and of simulated attacks, of those that were evaluated."""
    for key, title in TITLES.items():
        if report[key] is not None:
            yield title, report[key]


def verdict_rows(section: Report) -> list[tuple[str, ...]]:
    """Return a row for live people and for each kind of attack: photos, verdicts and error rate."""
    of_live = _row("live people", section["live"], "bpcer")
    return [of_live, *(_row(name, each, "apcer") for name, each in section["attacks"].items())]


def figure_rows(section: Report) -> list[tuple[str, str, str]]:
    """Return the figures over all kinds of attack as rows."""
    rows = [("APCER of the worst kind", *_worst(section))]
    for key in ("acer", "auc", "eer"):
        if section[key] is None:
            rows.append((key.upper(), "too few photos", ""))
        else:
            rows.append((key.upper(), *(_shown(section[key]) if key != "auc" else _area(section[key]))))
    for key, title in (("bpcer_at_apcer", "BPCER at APCER"), ("apcer_at_bpcer", "APCER at BPCER")):
        for rate, figure in section[key].items():
            value = (figure["note"], "") if "note" in figure else _shown(figure)
            rows.append((f"{title} {float(rate):.0%}", *value))
    return rows


def threshold_line(section: Report) -> str:
    """Return the thresholds of the verdicts as a sentence."""
    thresholds = section["thresholds"]
    origin = {
        "uncalibrated": "uncalibrated: their error rates are known only for these photos",
        "these photos": "chosen on these photos, so their rates here are optimistic",
    }.get(thresholds["origin"], f"of the calibration {thresholds['origin']}")
    return f"live from {thresholds['live_from']:.4g}, attack below {thresholds['attack_below']:.4g}; {origin}"


def _row(name: str, content: Report, error: str) -> tuple[str, ...]:
    verdicts, rate = content["verdicts"], content[error]
    counts = (str(verdicts[key]) for key in ("unanswered", "live", "uncertain", "attack"))
    value, interval = _shown(rate)
    return name, str(sum(verdicts.values())), str(rate["people"]), *counts, f"{error.upper()} {value}", interval


def _worst(section: Report) -> tuple[str, str]:
    if section["apcer"] is None:
        return "too few photos", ""
    value, interval = _shown(section["apcer"])
    return f"{value} ({section['worst']})", interval


def _shown(rate: dict[str, Any]) -> tuple[str, str]:
    if rate["rate"] is None:
        return f"at most {rate['at_most']:.0%}", ""
    interval = rate["interval"]
    return f"{rate['rate']:.1%}", f"{interval[0]:.1%} .. {interval[1]:.1%}" if interval else ""


def _area(auc: dict[str, Any]) -> tuple[str, str]:
    interval = auc["interval"]
    return f"{auc['rate']:.4f}", f"{interval[0]:.4f} .. {interval[1]:.4f}" if interval else ""
