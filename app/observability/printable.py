"""Text that others wrote, as it may be shown in a terminal, a text log or a spreadsheet."""

import re

# Control characters but tab and line feed, C1 (escape sequences of 8 bits), separators of lines, changes of direction,
# and halves of surrogate pairs, which cannot be written.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def printable(text: str) -> str:
    r"""Return a text whose steering characters are spelled out (`\x1b`); its lines stay lines."""
    return _STEERING.sub(lambda found: ascii(found[0])[1:-1], text)


def one_line(text: str) -> str:
    r"""Return a printable text without line breaks, which are spelled out (`\n`)."""
    return printable(text).replace("\n", r"\n")


def cell(text: str) -> str:
    """Return a cell of a CSV file that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
