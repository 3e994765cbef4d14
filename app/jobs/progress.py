"""What long work and whoever runs it say to each other: a job of the service, or a command with a progress bar."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol


class Progress(Protocol):
    """What long work says of itself, and is told."""

    @property
    def checkpoint(self) -> Mapping[str, Any]:
        """What `advance` last stored; empty at the first start."""

    def advance(self, done: int, *, total: int | None = None, checkpoint: Mapping[str, Any] | None = None) -> None:
        """Say how far the work is; raises JobCancelled when its end was asked for.

        Cheap without a checkpoint, and to be called often: it is how the work learns of its end. A checkpoint is
        stored, with what was refused before it, when this returns or raises: a commit each, so every second or so.
        After a crash the work starts again with the last one, and what was refused since then is forgotten.
        """

    def refuse(self, item: str, code: str, detail: str) -> None:
        """Note an item (a file, a line) that could not be done; the work goes on."""


Parameters = Mapping[str, Any]
Result = Mapping[str, Any]
Work = Callable[[Parameters, Progress], Result]
"""A kind of job: parameters as JSON in, result as JSON out. It may run again from its last checkpoint at any time, also
while a process that was believed dead is still at it for a moment: what it does must bear being done twice."""
