"""Notes on a request, which its handler writes and the statistics read when it has ended."""

from collections.abc import Iterable, MutableMapping
from typing import Any

from app.statistics.counts import Observation, Series

_COLLECTION, _OUTCOMES = "arcid.collection", "arcid.outcomes"


def note_collection(scope: MutableMapping[str, Any], collection: str) -> None:
    """Store the collection of a request, which its caller may use."""
    scope[_COLLECTION] = collection


def noted_collection(scope: MutableMapping[str, Any]) -> str | None:
    """Return the collection of a request."""
    return scope.get(_COLLECTION)


def note_refusals(scope: MutableMapping[str, Any], codes: Iterable[str]) -> None:
    """Store why a request or its photos were refused."""
    noted_outcomes(scope).extend(Observation(Series.REFUSAL, each) for each in codes)


def noted_outcomes(scope: MutableMapping[str, Any]) -> list[Observation]:
    """Return the outcomes of a request so far; append to the list to add one."""
    outcomes: list[Observation] = scope.setdefault(_OUTCOMES, [])
    return outcomes
