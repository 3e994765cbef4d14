"""One seeded history: clients, followers and crashes on replicas; then everything must agree."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import app.gallery.gallery as gallery_module
import app.gallery.index.growing as growing_module
import app.gallery.index_projection as projection_module
import app.gallery.store.identities as identities_module
import app.gallery.store.model_migration as migration_module
from app.errors import ArcidError, DatabaseUnavailable, IndexUnavailable
from app.gallery.index_check import differences
from app.gallery.index_state import ErasureResult
from app.gallery.store.values import Collection
from tests.gallery.histories.databases import HistoryDatabase
from tests.gallery.histories.history import Operation, Outcome
from tests.gallery.histories.linearisability import check
from tests.gallery.histories.operations import OPERATIONS, WEIGHTS, Done, Names, gallery_of
from tests.gallery.histories.replica import Faults, Replica
from tests.gallery.histories.scheduler import Scheduler, simulated_threads

_THREADED: list[ModuleType] = [gallery_module, projection_module, growing_module]
_SMALL: list[tuple[ModuleType, str, int]] = [
    (identities_module, "_READ_AT_ONCE", 3),
    (identities_module, "_ASK_AT_ONCE", 3),
    (migration_module, "_AT_ONCE", 3),
    (growing_module, "_COPIED_AT_ONCE", 4),
    (growing_module, "_LAST_CHANGES", 1),
]
"""Numbers of rows that are read or copied at once, small enough for several turns."""
_LOST = (DatabaseUnavailable, IndexUnavailable)
_ANSWERS_LOST = 0.3  # share of enrollments with a key whose answers do not reach the client
_SWEEPS_DISPUTED = 8  # one history in so many has clients that keep people whom a sweep is about to erase
_DISPUTES = 4
_DAMAGED = 0.3  # share of crashes after which a file of a snapshot is damaged


class Failed(Exception):
    """A history that went wrong, with all of it."""


@dataclass(frozen=True)
class Plan:
    """The sizes and faults of a history, drawn from its seed."""

    replicas: int
    clients: int
    operations: int
    polls: int
    crashes: int
    cuts: int
    change_faults: float
    save_faults: float
    is_growing: bool

    @classmethod
    def of(cls, rng: Random) -> "Plan":
        return cls(
            replicas=rng.choice((2, 2, 3)),
            clients=rng.choice((2, 3)),
            operations=rng.randrange(4, 10),
            polls=rng.randrange(1, 8),
            crashes=rng.choice((0, 0, 1, 2)),
            cuts=rng.choice((0, 0, 0, 1)),
            change_faults=rng.choice((0, 0, 0.03)),
            save_faults=rng.choice((0, 0, 0.2)),
            is_growing=rng.random() < 0.3,
        )


class Simulation:
    """A history of one seed on a database without rows."""

    def __init__(self, seed: int, database: HistoryDatabase, folder: Path) -> None:
        self.seed = seed
        self.operations: list[Operation] = []
        self._rng = Random(seed)
        self._plan = Plan.of(self._rng)
        self._scheduler = Scheduler(seed)
        self._database = database
        self._numbers = count(1)
        plan = self._plan
        self._faults = Faults(
            self._scheduler, change=plan.change_faults, save=plan.save_faults, is_growing=plan.is_growing
        )
        names = "abc"[: plan.replicas]
        self.replicas = [Replica(name, database, folder, self._faults) for name in names]

    @property
    def steps(self) -> int:
        return self._scheduler.steps

    def run(self) -> None:
        """Run and check the history; raises Failed."""
        with self._database.used_by(self._scheduler), simulated_threads(self._scheduler, _THREADED), _small():
            try:
                self._run()
            except Exception as error:
                raise Failed(f"seed {self.seed}: {error!r}\n{self}") from error
            finally:
                for replica in self.replicas:
                    replica.remove()
                self._scheduler.bury()

    def __str__(self) -> str:
        """Return the history, one operation a line, in the order of their calls."""
        return "\n".join([str(self._plan), *map(str, self.operations)])

    def _run(self) -> None:
        spawn = self._scheduler.spawn
        for replica in self.replicas:
            spawn("start", partial(self._start, replica))
        self._scheduler.run()
        if self._plan.is_growing:  # almost enough faces for another kind of index
            faces = tuple((f"f{next(self._numbers)}", f"first {number}") for number in range(14))
            spawn("fill", lambda: self._call(self.replicas[0], "bulk", ("p0", faces)))
            self._scheduler.run()
        for number in range(self._plan.clients):
            spawn(f"client {number}", partial(self._client, Random(f"{self.seed} client {number}")))
        for replica in self.replicas:
            spawn(f"follower {replica.name}", partial(self._poll, replica))
        spawn("disturb", partial(self._disturb, Random(f"{self.seed} disturb")))
        if self.seed % _SWEEPS_DISPUTED == _SWEEPS_DISPUTED - 1:
            spawn("dispute", partial(self._dispute, Random(f"{self.seed} dispute")))
        self._scheduler.run()
        spawn("settle", self._settle)
        self._scheduler.run()

    def _start(self, replica: Replica) -> None:
        """Start a replica, as a task of its process, until it succeeds."""
        while replica.gallery is None:
            self._of_process(replica, f"start {replica.name}", replica.start)

    def _client(self, rng: Random) -> None:
        names = Names(rng, self._database.faces, self._numbers)
        for _ in range(self._plan.operations):
            (what,) = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))
            replica = self._running(rng)
            if what == "sweep":
                self._of_process(replica, what, replica.sweeper(Erasing(self, replica)).sweep)
                continue
            arguments = names.of(what)
            done = self._call(replica, what, arguments)
            is_lost = done.outcome is Outcome.LOST or rng.random() < _ANSWERS_LOST
            if what == "enroll" and arguments[2] is not None and is_lost:  # the client repeats it
                identity, faces, key, name = arguments
                again = tuple((f"f{next(self._numbers)}", photo) for _, photo in faces)
                self._call(self._running(rng), what, (identity, again, key, name))

    def _dispute(self, rng: Random) -> None:
        """Let people expire, and keep them again after a sweep may have listed them."""
        names = Names(rng, self._database.faces, self._numbers)
        for _ in range(_DISPUTES):
            identity = names.person()
            self._call(self._running(rng), "enroll", (identity, names.new_faces(), None, None))
            self._call(self._running(rng), "expire", (identity, True))
            replica = self._running(rng)
            is_swept = self._beside(replica, "sweep", replica.sweeper(Erasing(self, replica)).sweep)
            self._call(self._running(rng), "expire", (identity, False))
            self._scheduler.wait("sweep", is_swept)

    def _running(self, rng: Random) -> Replica:
        """Wait for a replica that runs."""
        self._scheduler.wait("replica", lambda: any(each.gallery is not None for each in self.replicas))
        return rng.choice([each for each in self.replicas if each.gallery is not None])

    def _call(self, replica: Replica, what: str, arguments: tuple[Any, ...]) -> Operation:
        """Perform an operation as a task of the replica's process."""
        operation = self.note(replica, what, arguments)
        work = partial(OPERATIONS[what], replica, *arguments)
        self._of_process(replica, f"{operation.number} {what}", lambda: self.perform(replica, operation, work))
        return operation

    def _of_process(self, replica: Replica, name: str, work: Callable[[], object]) -> None:
        self._scheduler.wait(name, self._beside(replica, name, work))

    def _beside(self, replica: Replica, name: str, work: Callable[[], object]) -> Callable[[], bool]:
        """Start work as a task of a replica's process, and return what reports whether it is over."""

        def tried() -> None:
            with suppress(ArcidError, MemoryError):
                work()

        task = self._scheduler.spawn(name, tried, replica.process)
        return lambda: task.is_over

    def note(self, replica: Replica, what: str, arguments: tuple[Any, ...]) -> Operation:
        """Add an operation to the history."""
        operation = Operation(len(self.operations), replica.name, what, arguments, before=self._database.revision())
        self.operations.append(operation)
        return operation

    def perform(self, replica: Replica, operation: Operation, work: Callable[[], Done]) -> None:
        """Perform an operation and note its outcome; raises its error."""
        operation.known, operation.seen = replica.known, tuple(replica.seen)
        try:
            operation.result, operation.revision = work()
            operation.outcome = Outcome.DONE
        except (MemoryError, *_LOST) as error:
            operation.result = repr(error)
            raise
        except ArcidError as error:
            operation.outcome, operation.result = Outcome.REFUSED, error.code
            raise
        finally:
            if not operation.is_over:  # its process has not crashed
                operation.after, operation.is_over = self._database.revision(), True
        if operation.revision is not None:
            replica.known = max(replica.known, operation.revision)
        elif operation.what in {"follow", "rebuild"}:
            replica.known = max(replica.known, operation.before)
        elif operation.what == "search":
            replica.seen += [faces for _, faces in operation.result.people.values()]

    def _poll(self, replica: Replica) -> None:
        for _ in range(self._plan.polls):
            self._scheduler.pause("poll")
            if replica.gallery is not None:
                self._call(replica, "follow", ())

    def _disturb(self, rng: Random) -> None:
        """Crash replicas, and cut them off from the database."""
        disturbances = [self._crash] * self._plan.crashes + [self._cut] * self._plan.cuts
        rng.shuffle(disturbances)
        for disturb in disturbances:
            self._scheduler.pause_for(rng.randrange(1, 150))
            disturb(rng.choice(self.replicas), rng)

    def _cut(self, replica: Replica, rng: Random) -> None:
        self._database.cut_off(replica.name, is_cut_off=True)
        self._scheduler.pause_for(rng.randrange(1, 60))
        self._database.cut_off(replica.name, is_cut_off=False)

    def _crash(self, replica: Replica, rng: Random) -> None:
        self._database.abandon(replica.name, self._scheduler.kill(replica.process))
        replica.crash()
        for each in self.operations:
            if each.replica == replica.name and not each.is_over:
                each.after, each.is_over = self._database.revision(), True
        if rng.random() < _DAMAGED:
            replica.damage(rng.randrange(1 << 30))
        self._scheduler.pause_for(rng.randrange(1, 40))
        self._start(replica)

    def _settle(self) -> None:
        """Let everybody follow, and check all; then start all replicas again from their snapshots, and check again."""
        self._faults.stop()
        for replica in self.replicas:
            gallery_of(replica).follow()
        check(self.operations, self._database.revision(), self._database.state())
        for replica in self.replicas:
            self._check_replica(replica)
            replica.crash()
            self._start(replica)
            self._check_replica(replica)

    def _check_replica(self, replica: Replica) -> None:
        collection, gallery = replica.collection(), gallery_of(replica)
        found = differences(replica.store, collection, gallery._projections[collection.key].index)
        assert found.is_empty(), f"the index of {replica.name} differs: {found}"
        gallery.save()
        saved = replica.saved()
        assert set(saved) <= {collection.uid}, f"{replica.name} keeps snapshots of {set(saved)}"
        erased = set().union(*saved.values()) - self._database.keys()
        assert not erased, f"{replica.name} keeps snapshots of erased faces {erased}"


class Erasing:
    """A gallery of the retention worker, whose erasures are operations of the history."""

    def __init__(self, simulation: Simulation, replica: Replica) -> None:
        self._simulation, self._replica = simulation, replica

    def remove_identity(self, collection: Collection, identity_id: str, *, only_expired: bool) -> ErasureResult:
        erased: list[ErasureResult] = []

        def erase() -> Done:
            gallery = gallery_of(self._replica)
            erased.append(gallery.remove_identity(collection, identity_id, only_expired=only_expired))
            removed = erased[0].removed
            return tuple(sorted(removed.face_ids)), removed.revision

        operation = self._simulation.note(self._replica, "erase", (identity_id,))
        self._simulation.perform(self._replica, operation, erase)
        return erased[0]


@contextmanager
def _small() -> Iterator[None]:
    before = [module.__dict__[name] for module, name, _ in _SMALL]
    for module, name, value in _SMALL:
        module.__dict__[name] = value
    try:
        yield
    finally:
        for (module, name, _), value in zip(_SMALL, before, strict=True):
            module.__dict__[name] = value
