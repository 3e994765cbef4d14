"""Cuts of a recording: the moments, the disks that they leave, and what is wrong after a restart on each."""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.powercut.disk import Disk
from tests.powercut.expectation import Expectations, probes_of
from tests.powercut.recorder import Operation, Record, Recorder, Start
from tests.powercut.recovery import Restarts

_AT_MARKS = 0.5  # share of the cuts right after an answer, when most can be lost
_PASSING = {"start", "state", "probes", "ready", "job_ended"}  # marks that acknowledge nothing
Forgotten = Callable[[Record], bool]


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut after a number of records, by its seed, and what was wrong after the restart."""

    records: int
    seed: int
    step: str
    violations: list[str]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A finished recording. `journaled`: see Disk."""

    start: Start
    records: list[Record]
    journaled: str | None = None

    @classmethod
    def of(cls, recorder: Recorder) -> "Recorded":
        """Read a recording, and check that nothing in the folder changed without a record."""
        return cls(recorder.start, recorder.records(), recorder.journaled).checked(recorder.root)

    def checked(self, root: Path) -> "Recorded":
        """Return this recording if it is complete: it leads to the folder `root`."""
        disk = Disk(self.start)
        for each in self.records:
            disk.apply(each)
        if missed := disk.differences(root):
            raise AssertionError(f"changes that were not recorded: {sorted(missed)}")
        return self


def unprotected(records: list[Record], forget: Forgotten) -> list[range]:
    """Return the moments from each forgotten sync to the next sync of the same file or folder that is not forgotten."""
    found: list[range] = []
    open_since: dict[int, int] = {}  # by inode
    for at, each in enumerate(records, 1):
        if each.operation is not Operation.SYNC:
            continue
        if forget(each):
            open_since.setdefault(each.inode, at)
        elif each.inode in open_since:
            found.append(range(open_since.pop(each.inode), at))
    return [*found, *(range(at, len(records) + 1) for at in open_since.values())]


def moments(records: list[Record], count: int, rng: random.Random, forget: Forgotten | None) -> list[int]:
    """Return numbers of records after which the power fails, in order: half of them right after an answer.

    With `forget`, all of them are right after the answers that came next after a forgotten sync.
    """
    marks = [at + 1 for at, each in enumerate(records) if each.operation is Operation.MARK]
    if forget is not None:
        forgotten = [at for at, each in enumerate(records) if each.operation is Operation.SYNC and forget(each)]
        answers = [at for at in marks if json.loads(records[at - 1].data)["what"] not in _PASSING]
        near = {min((at for at in answers if at > sync), default=len(records)) for sync in forgotten}
        return sorted(rng.choice(sorted(near)) for _ in range(count))
    chosen = [rng.choice(marks) if rng.random() < _AT_MARKS else rng.randint(1, len(records)) for _ in range(count)]
    return sorted(chosen)


def cut(
    recorded: Recorded,
    restarts: Restarts,
    folder: Path,
    count: int,
    *,
    seed: int,
    forget: Forgotten | None = None,
) -> Iterator[Cut]:
    """Cut a recording `count` times, restart each time in `folder`, and yield the results.

    `forget` selects syncs to leave out of the recording: a program that forgot them.
    """
    records = recorded.records
    disk, expectations, probes = Disk(recorded.start, recorded.journaled), Expectations(records), probes_of(records)
    done, rng = 0, random.Random(seed)
    for number, moment in enumerate(moments(records, count, rng, forget)):
        for record in records[done:moment]:
            if forget is None or record.operation is not Operation.SYNC or not forget(record):
                disk.apply(record)
            expectations.apply(record)
        done = moment
        shutil.rmtree(folder, ignore_errors=True)
        disk.cut(folder, seed * 1_000_003 + number)
        found = restarts.violations(folder, expectations.now, probes)
        yield Cut(moment, seed * 1_000_003 + number, expectations.now.step, found)
