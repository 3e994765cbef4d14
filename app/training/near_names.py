"""Error messages for names that do not exist."""

from collections.abc import Iterable
from difflib import get_close_matches

_MOST_NAMED = 2
_SIMILAR = 0.6


def unknown_name(kind: str, name: str, names: Iterable[str], *, otherwise: str = "") -> str:
    """Return a sentence on an unknown name, with the nearest names.

    If none is near, it has `otherwise`, by default the list of all names.
    """
    by_lower = {each.lower(): each for each in names}
    near = get_close_matches(name.lower(), by_lower, n=_MOST_NAMED, cutoff=_SIMILAR)
    if near:
        return f"unknown {kind} {name!r}; did you mean {' or '.join(by_lower[each] for each in near)}?"
    return f"unknown {kind} {name!r}; {otherwise or one_of(by_lower.values())}"


def one_of(names: Iterable[str], more: str = "") -> str:
    """Return a list of names as advice."""
    return f"use one of {', '.join(names)}{more}"
