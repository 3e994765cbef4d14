"""Escaping of untrusted text for terminals, text logs and spreadsheets."""

import re

# Control characters except tab and line feed, C1 (8-bit escape sequences), line separators, changes of direction,
# and unpaired surrogates, which cannot be encoded.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def printable(text: str) -> str:
    r"""Escape control characters (`\x1b`); line breaks are kept."""
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)


def one_line(text: str) -> str:
    r"""Escape control characters and line breaks (`\n`)."""
    return printable(text).replace("\n", r"\n")


def cell(text: str) -> str:
    """Return a CSV cell that no spreadsheet interprets as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
