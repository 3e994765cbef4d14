"""The record of a history: operations with their times and outcomes."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

PEOPLE = "people"
MODELS = {"net-a": 4, "net-b": 6}
"""The models and the lengths of their vectors; collections start with the first one."""


class Outcome(StrEnum):
    """Outcome of an operation; the effect of a LOST one (crash, database away) is unknown."""

    DONE = "done"
    REFUSED = "refused"
    LOST = "lost"


@dataclass(eq=False)
class Operation:
    """An operation: revisions of the database before and after it, and what its replica had to know before it.

    `revision` is the one that the write claims; None for reads and writes that changed nothing. `known` is the latest
    revision that the replica has acknowledged, `seen` the sets of faces whose owner it has found.
    """

    number: int
    replica: str
    what: str
    arguments: tuple[Any, ...] = ()
    before: int = 0
    after: int = 0
    known: int = 0
    seen: tuple[frozenset[str], ...] = ()
    outcome: Outcome = Outcome.LOST
    result: Any = None
    revision: int | None = None
    is_over: bool = False

    def __str__(self) -> str:
        claimed = "" if self.revision is None else f" as {self.revision}"
        window = f"[{self.before}..{self.after}]"
        return (
            f"{self.number:3} {self.replica} {self.what}{self.arguments} -> "
            f"{self.outcome.value} {self.result}{claimed} {window} known {self.known}"
        )


@dataclass
class Found:
    """Identities that a read returned: their names and faces, and the model of their templates."""

    model: str | None = None
    people: dict[str, tuple[str | None, frozenset[str]]] = field(default_factory=dict)
    is_genuine: bool = True
    """Whether every template is that of its face and model."""
