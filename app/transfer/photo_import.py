"""Bulk import of photos: prepared by many threads, written by one, in a stable order."""

import hashlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from app.errors import ArcidError, IdentityErased, ItemInvalid, JobCancelled, PhotoRefused
from app.gallery.store.values import Person
from app.jobs.progress import Progress
from app.transfer.photo_folders import Item, Source

Prepared = TypeVar("Prepared")

MOST_TOGETHER = 50
"""Maximum number of photos in one transaction, of one person or of several."""
_AHEAD = 16  # photos per thread that are prepared ahead of the first unwritten one
_CHECKPOINT_EVERY_S = 2.0
_LOW_PRIORITY = 10
_ERASED_ITEM = "a photo of somebody who was erased"


@dataclass(frozen=True, slots=True)
class Added:
    """The result for one person's photos: newly enrolled, enrolled before, and refused (index, error)."""

    enrolled: int
    known: int
    is_new: bool
    refused: Sequence[tuple[int, ArcidError]] = ()


class Enrolling(Protocol[Prepared]):
    """Enrollment into one collection, in two steps. `prepare` is thread-safe."""

    def is_known(self, identity_id: str, image_sha256: str) -> bool:
        """Return whether this exact photo of this person is enrolled."""

    def prepare(self, photo: bytes, image_sha256: str) -> Prepared:
        """Analyse a photo and apply the checks of an enrollment; raises a PhotoRefused."""

    def compares_photos(self) -> bool:
        """Return whether photos of one person are compared, so that they should be added together."""

    def add(self, people: Sequence[tuple[Person, Sequence[Prepared]]]) -> list[Added]:
        """Write photos of people, in one transaction or several; skips photos that are already enrolled."""


@dataclass(slots=True)
class _Counts:
    photos: int = 0
    enrolled: int = 0
    known: int = 0
    refused: int = 0
    new_people: int = 0

    def as_json(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class _Outcome(Generic[Prepared]):
    """The result of preparing one item; both fields are None if it was already enrolled."""

    item: Item
    prepared: Prepared | None = None
    error: PhotoRefused | ItemInvalid | None = None


@dataclass(slots=True)
class _PhotosOfPerson(Generic[Prepared]):
    """Adjacent photos of one person."""

    items: list[Item] = field(default_factory=list)
    prepared: list[Prepared] = field(default_factory=list)

    @property
    def person(self) -> Person:
        first = self.items[0]
        return Person(first.identity_id, first.name, first.metadata)

    def takes(self, item: Item) -> bool:
        first = self.items[0]
        same = (first.identity_id, first.name, first.metadata) == (item.identity_id, item.name, item.metadata)
        return same and len(self.items) < MOST_TOGETHER


class PhotoImport(Generic[Prepared]):
    """Enrolls all photos of a source."""

    def __init__(self, enrolling: Enrolling[Prepared], *, threads: int, most_bytes: int, is_polite: bool) -> None:
        """Use this many threads; with `is_polite`, they yield to the process's other threads."""
        self._enrolling = enrolling
        self._threads = threads
        self._most_bytes = most_bytes
        self._is_polite = is_polite

    def run(self, source: Source, progress: Progress) -> dict[str, int]:
        """Return the numbers of photos, of enrolled, known and refused ones, and of new people.

        A photo that is already enrolled for its person is skipped, so this may be repeated. It continues from the
        checkpoint of `progress`. Raises JobCancelled after all photos that `progress` counts as done are written, and
        errors that concern the whole collection.
        """
        items = source.items
        begun = _begun(items, progress.checkpoint)
        counts = _Counts(**progress.checkpoint.get("counts", {})) if begun else _Counts()
        writer = _Writer(self._enrolling, progress, counts, begun, len(items))
        progress.advance(begun, total=len(items))
        ending = threading.Event()
        pool = ThreadPoolExecutor(self._threads, "arcid-import", give_way if self._is_polite else None)
        try:
            for outcome in _in_order(
                pool, lambda item: self._prepared(source, item, ending), items[begun:], self._threads
            ):
                writer.take(outcome)
            writer.end()
        except JobCancelled:
            writer.end()
            raise
        finally:
            ending.set()
            pool.shutdown(cancel_futures=True)  # finish before the source is closed
        return counts.as_json()

    def _prepared(self, source: Source, item: Item, ending: threading.Event) -> _Outcome[Prepared]:
        if ending.is_set():
            return _Outcome(item)
        try:
            photo = _read(source, item, self._most_bytes)
            sha256 = hashlib.sha256(photo).hexdigest()
            if self._enrolling.is_known(item.identity_id, sha256):
                return _Outcome(item)
            return _Outcome(item, self._enrolling.prepare(photo, sha256))
        except (PhotoRefused, ItemInvalid) as error:
            return _Outcome(item, error=error)


class _Writer(Generic[Prepared]):
    """Collects outcomes in order, writes several people at a time, and reports progress."""

    def __init__(
        self, enrolling: Enrolling[Prepared], progress: Progress, counts: _Counts, done: int, total: int
    ) -> None:
        self._enrolling = enrolling
        self._progress = progress
        self._counts = counts
        self._done = done
        self._total = total
        self._groups: list[_PhotosOfPerson[Prepared]] = []
        self._last: Item | None = None
        self._kept = time.monotonic()

    def take(self, outcome: _Outcome[Prepared]) -> None:
        item = outcome.item
        if self._is_time_to_write(item):
            self._write()
        self._last = item
        self._done += 1
        self._counts.photos += 1
        if outcome.error is not None:
            self._refuse(item, outcome.error)
        elif outcome.prepared is None:
            self._counts.known += 1
        else:
            if not self._groups or not self._groups[-1].takes(item):
                self._groups.append(_PhotosOfPerson())
            self._groups[-1].items.append(item)
            self._groups[-1].prepared.append(outcome.prepared)
        if not self._groups and time.monotonic() - self._kept >= _CHECKPOINT_EVERY_S:
            self._keep()
        else:
            self._progress.advance(self._done)

    def end(self) -> None:
        """Write the waiting photos, and store a checkpoint even if that raises JobCancelled."""
        self._write()
        self._keep()

    def _is_time_to_write(self, item: Item) -> bool:
        """Return whether the waiting groups are large or old enough to write.

        A person's photos are not separated if they are compared with each other.
        """
        is_much = sum(len(group.items) for group in self._groups) >= MOST_TOGETHER
        is_due = is_much or time.monotonic() - self._kept >= _CHECKPOINT_EVERY_S
        if not self._groups or not is_due:
            return False
        return not self._groups[-1].takes(item) or not self._enrolling.compares_photos()

    def _write(self) -> None:
        groups, self._groups = self._groups, []
        if groups:
            done = self._enrolling.add([(group.person, group.prepared) for group in groups])
            for group, added in zip(groups, done, strict=True):
                self._counts.enrolled += added.enrolled
                self._counts.known += added.known
                self._counts.new_people += added.is_new
                for index, error in added.refused:
                    self._refuse(group.items[index], error)
            self._keep()  # at once: a job whose processes die fails unless it makes progress

    def _refuse(self, item: Item, error: ArcidError) -> None:
        self._counts.refused += 1
        label = _ERASED_ITEM if isinstance(error, IdentityErased) else item.label
        self._progress.refuse(label, error.code, str(error))

    def _keep(self) -> None:
        """Store a checkpoint; everything before it is written."""
        self._kept = time.monotonic()
        checkpoint = {"after": _mark(self._last), "counts": self._counts.as_json()} if self._last else None
        self._progress.advance(self._done, total=self._total, checkpoint=checkpoint)


def _read(source: Source, item: Item, most_bytes: int) -> bytes:
    if item.flaw is not None:
        raise ItemInvalid(item.flaw)
    return source.read(item, most_bytes)


def _mark(item: Item) -> str:
    """Return an item's key in a checkpoint: a hash, because its label may name a person who is erased later."""
    return hashlib.sha256(item.label.encode("utf-8", "surrogatepass")).hexdigest()


def _begun(items: Sequence[Item], checkpoint: Mapping[str, Any]) -> int:
    """Return the number of finished items; 0 if the last finished item no longer exists."""
    after = checkpoint.get("after")
    return next((number for number, each in enumerate(items, 1) if _mark(each) == after), 0) if after else 0


def _in_order(
    pool: ThreadPoolExecutor,
    work: Callable[[Item], _Outcome[Prepared]],
    items: Sequence[Item],
    threads: int,
) -> Iterator[_Outcome[Prepared]]:
    """Yield the results of `work` for the items, in their order, keeping all threads busy."""
    waiting: deque[Future[_Outcome[Prepared]]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) >= threads * _AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def give_way() -> None:
    """Give this thread the lowest priority in the process; on Linux, where threads have priorities."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOW_PRIORITY)
