"""Progress of long work: the interface between the work and its host, a job or a command."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol


class Progress(Protocol):
    """The host of long work: receives progress and refused items, and requests cancellation."""

    @property
    def checkpoint(self) -> Mapping[str, Any]:
        """The last checkpoint given to `advance`; empty at the first start."""

    def advance(self, done: int, *, total: int | None = None, checkpoint: Mapping[str, Any] | None = None) -> None:
        """Report progress; raises JobCancelled if cancellation was requested.

        Cheap without a checkpoint: call it often, because this is how the work notices a cancellation. With a
        checkpoint, the checkpoint and the refusals before it are stored when this returns or raises. Each costs a
        commit, so store one every second or so. After a crash the work restarts from the last checkpoint, and later
        refusals are dropped. If the job is cancelled, `counts` of its last checkpoint becomes its result.
        """

    def refuse(self, item: str, code: str, detail: str) -> None:
        """Record an item (a file, a line) that could not be processed; the work continues."""


Parameters = Mapping[str, Any]
Result = Mapping[str, Any]
Work = Callable[[Parameters, Progress], Result]
"""The work of a kind of job: parameters as JSON in, result as JSON out. It must be idempotent, because it may run again
from its last checkpoint at any time, even while a process that was considered dead still runs it."""
