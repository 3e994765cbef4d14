"""A seeded, cooperative scheduler: one task runs at a time, and a seed chooses the next one at every pause.

`simulated_threads` replaces `threading` in modules under test, so that their locks and threads are the scheduler's: a
task that waits for a lock lets the others run, and a deadlock is an error instead of a hang.
"""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import greenlet

_MOST_STEPS = 200_000
_SLOW = 0.03  # weight of a task that hardly ever runs
_REWEIGHED = 0.03  # chance that a step changes the weight of a task


class Crashed(BaseException):
    """Ends a task whose process has died."""


class Stuck(Exception):
    """All tasks wait for each other, or the history does not end."""


class Task:
    """A unit of work of one process (`owner`; None: of no process)."""

    def __init__(self, name: str, work: Callable[[], object], owner: object, parent: greenlet.greenlet) -> None:
        self.name, self.owner = name, owner
        self.weight = 1.0
        self.at = "start"
        self.waits_for: Callable[[], bool] | None = None
        self.is_done = self.is_dead = False
        self.failure: BaseException | None = None
        self.result: Any = None
        self._work = work
        self.greenlet = greenlet.greenlet(self._run, parent)

    @property
    def is_over(self) -> bool:
        return self.is_done or self.is_dead

    def _run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:  # noqa: BLE001 - the scheduler raises it
            self.failure = error
        self.is_done = True


class Scheduler:
    """Runs tasks until all have ended."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.steps = 0
        self.current: Task | None = None
        self._main = greenlet.getcurrent()
        self._tasks: list[Task] = []
        self._dead: list[Task] = []

    def spawn(self, name: str, work: Callable[[], object], owner: object = None) -> Task:
        task = Task(name, work, owner, self._main)
        task.weight = self.rng.choice((1.0, 1.0, _SLOW))
        self._tasks.append(task)
        return task

    def run(self) -> None:
        """Run until no task is left; raises the first error of a task."""
        while self._tasks:
            ready = [each for each in self._tasks if each.waits_for is None or each.waits_for()]
            if not ready or self.steps > _MOST_STEPS:
                raise Stuck(", ".join(f"{each.name} at {each.at}" for each in self._tasks))
            if self.rng.random() < _REWEIGHED:
                self.rng.choice(ready).weight = self.rng.choice((1.0, 1.0, _SLOW))
            (task,) = self.rng.choices(ready, [each.weight for each in ready])
            self.steps += 1
            self.current, task.waits_for = task, None
            task.greenlet.switch()
            self.current = None
            if task.is_done:
                self._tasks.remove(task)
                if task.failure is not None:
                    raise task.failure

    def pause(self, at: str, chance: float = 1.0) -> None:
        """Let other tasks run, with a probability; does nothing outside of a task."""
        task = self.current
        if task is not None and (chance >= 1 or self.rng.random() < chance):
            task.at = at
            self._main.switch()

    def wait(self, at: str, is_so: Callable[[], bool]) -> None:
        """Let other tasks run until something is true."""
        task = self.current
        while task is not None and not is_so():
            task.at, task.waits_for = at, is_so
            self._main.switch()

    def pause_for(self, steps: int) -> None:
        """Let other tasks run for a number of turns."""
        for _ in range(steps):
            self.pause("later")

    def kill(self, owner: object) -> list[Task]:
        """End all tasks of a process where they are: nothing of them runs any more, not even cleanup."""
        dead = [each for each in self._tasks if each.owner is owner and each is not self.current]
        for each in dead:
            each.is_dead = True
            self._tasks.remove(each)
        self._dead += dead
        return dead

    def bury(self) -> None:
        """Release what the tasks hold, when their files are gone. The scheduler is of no use afterwards."""
        self.current = None
        for each in (*self._dead, *self._tasks):
            if each.greenlet and not each.greenlet.dead:
                each.greenlet.throw(Crashed())


class SimulatedThreading:
    """The parts of `threading` that the gallery uses, on a scheduler; all else is the real module's."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def __getattr__(self, name: str) -> Any:
        return getattr(threading, name)

    def Lock(self) -> "SimulatedLock":  # noqa: N802 - as in `threading`
        return SimulatedLock(self._scheduler, is_reentrant=False)

    def RLock(self) -> "SimulatedLock":  # noqa: N802
        return SimulatedLock(self._scheduler, is_reentrant=True)

    def Thread(  # noqa: N802
        self, *, target: Callable[..., object], args: tuple[Any, ...] = (), name: str = "", **_: Any
    ) -> "SimulatedThread":
        return SimulatedThread(self._scheduler, name, lambda: target(*args))


class SimulatedLock:
    """A lock whose acquisition is a pause."""

    def __init__(self, scheduler: Scheduler, *, is_reentrant: bool) -> None:
        self._scheduler = scheduler
        self._is_reentrant = is_reentrant
        self._owner: Task | None = None
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002 - as in `threading`
        del timeout
        task = self._scheduler.current
        if task is None:
            return True
        if not (self._is_reentrant and self._owner is task):
            self._scheduler.pause("lock")
            if self._owner is not None and not blocking:
                return False
            self._scheduler.wait("lock", lambda: self._owner is None)
        self._owner, self._count = task, self._count + 1
        return True

    def release(self) -> None:
        if self._scheduler.current is None:
            return
        self._count -= 1
        if not self._count:
            self._owner = None

    def locked(self) -> bool:
        return self._owner is not None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class SimulatedThread:
    """A thread that is a task of the process that starts it."""

    def __init__(self, scheduler: Scheduler, name: str, work: Callable[[], object]) -> None:
        self._scheduler, self._name, self._work = scheduler, name, work
        self._task: Task | None = None

    def start(self) -> None:
        current = self._scheduler.current
        self._task = self._scheduler.spawn(self._name, self._work, None if current is None else current.owner)

    def join(self, timeout: float | None = None) -> None:
        del timeout
        self._scheduler.wait("join", lambda: not self.is_alive())

    def is_alive(self) -> bool:
        return self._task is not None and not self._task.is_over


@contextmanager
def simulated_threads(scheduler: Scheduler, modules: list[ModuleType]) -> Iterator[None]:
    """Context manager: let modules use the scheduler's threads and locks."""
    simulated = SimulatedThreading(scheduler)
    real = [module.__dict__["threading"] for module in modules]
    for module in modules:
        module.__dict__["threading"] = simulated
    try:
        yield
    finally:
        for module, each in zip(modules, real, strict=True):
            module.__dict__["threading"] = each
