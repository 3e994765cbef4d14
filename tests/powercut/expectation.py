"""The promises at each moment of a recording: the answers that callers had got."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.powercut.recorder import Operation, Record
from tests.powercut.service import State

_ERASING = {"delete_person", "delete_face", "drop_collection"}


@dataclass(frozen=True, slots=True)
class Seen:
    """The state after a step, and the answers to the probes."""

    state: State
    answers: dict[str, Any]


@dataclass(slots=True)
class Expectation:
    """The promises at a moment. `before` and `after` are what callers saw, `after` the first time after the moment.

    `is_between`: a step was running, so both are right, and so is what lies between. `is_done`: its answer had arrived,
    so only `after` is right.
    """

    before: Seen | None = None
    after: Seen | None = None
    is_between: bool = False
    is_done: bool = False
    step: str = ""
    jobs: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    exported: set[str] = field(default_factory=set)
    backups: dict[str, int] = field(default_factory=dict)
    deleted_backups: set[str] = field(default_factory=set)
    uploads: dict[str, tuple[int, str]] = field(default_factory=dict)
    deleted_uploads: set[str] = field(default_factory=set)
    erased_files: set[str] = field(default_factory=set)

    def allowed(self) -> list[Seen]:
        """Return what callers may see after a restart, apart from half of a long step."""
        if self.is_done or self.before is None:
            seen = [self.after]
        elif self.is_between:
            seen = [self.before, self.after]
        else:
            seen = [self.before]
        return [each for each in seen if each is not None]


class Expectations:
    """Follows a recording; `now` is what it promises after the records so far."""

    def __init__(self, records: list[Record]) -> None:
        self._seen = [_seen(each) for each in records if _is_mark(each, "state")]
        self._segments: set[str] = set()
        self._present: set[str] = set()
        self.now = Expectation(after=self._seen[0] if self._seen else None)

    def apply(self, record: Record) -> None:
        """Follow one record."""
        if record.operation is Operation.MARK:
            fields = json.loads(record.data)
            self._mark(fields.pop("what"), fields)
        elif record.operation in {Operation.CREATE, Operation.RENAME, Operation.LINK, Operation.UNLINK}:
            if record.operation in {Operation.RENAME, Operation.UNLINK}:
                self._present.discard(record.path)
            name = record.path if record.operation is Operation.CREATE else record.path2
            if name.endswith((".segment", ".codec")):
                self._present.add(name)
                self._segments.add(name)

    def _mark(self, what: str, fields: dict[str, Any]) -> None:
        now = self.now
        if what == "start":
            now.is_between, now.is_done, now.step = True, False, fields["step"]
        elif what == "done":
            now.is_done = True
            if fields["step"] in _ERASING:
                now.erased_files = self._segments - self._present
        elif what == "state":
            now.before = self._seen.pop(0)
            now.after = self._seen[0] if self._seen else None
            now.is_between = now.is_done = False
        elif what in _NOTES:
            _NOTES[what](now, fields)


_NOTES: dict[str, Callable[[Expectation, Any], object]] = {
    "job": lambda now, said: now.jobs.add(said["job"]),
    "job_ended": lambda now, said: now.ended.add(said["job"]),
    "exported": lambda now, said: now.exported.add(said["job"]),
    "backup": lambda now, said: now.backups.update({said["name"]: said["size"]}),
    "backup_ending": lambda now, said: now.backups.pop(said["name"]),
    "backup_deleted": lambda now, said: now.deleted_backups.add(said["name"]),
    "upload": lambda now, said: now.uploads.update({said["upload"]: (said["offset"], said["sha256"])}),
    "upload_ending": lambda now, said: now.uploads.pop(said["upload"]),
    "upload_deleted": lambda now, said: now.deleted_uploads.add(said["upload"]),
}


def probes_of(records: list[Record]) -> dict[str, list[list[float]]]:
    """Return the probes of a recording, by model."""
    marks = [json.loads(each.data) for each in records if _is_mark(each, "probes")]
    return dict(marks[0]["probes"]) if marks else {}


def _is_mark(record: Record, what: str) -> bool:
    return record.operation is Operation.MARK and bool(json.loads(record.data)["what"] == what)


def _seen(record: Record) -> Seen:
    fields = json.loads(record.data)
    return Seen(fields["state"], fields["answers"])
