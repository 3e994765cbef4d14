"""One change of files, which a power cut must leave undone or done; once it has returned, it must be done."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from app.errors import ArcidError
from tests.powercut.cuts import Cut, Forgotten, Recorded, unprotected
from tests.powercut.disk import Disk
from tests.powercut.recorder import Operation, Record, Recorder, Start
from tests.powercut.service import environment

State = dict[str, Any]
"""The state after a restart. The value of each name changes in one step."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A change in a folder: `prepare` makes what it needs, `act` is recorded, `state` restarts and looks.

    `state` may raise ArcidError, OSError or ValueError if the folder cannot be used. `is_scrap`: before its end, the
    change may leave anything, because nothing refers to it yet. `instead`: before its end, it may also leave the state
    after this scene. `needs`: a module that may be missing.
    """

    prepare: Callable[[Path], object]
    act: Callable[[Path], object]
    state: Callable[[Path], State]
    is_scrap: bool = False
    instead: str | None = None
    needs: str | None = None

    def is_possible(self) -> bool:
        """Return whether its module is installed."""
        return self.needs is None or find_spec(self.needs) is not None


@dataclass(frozen=True, slots=True)
class RecordedScene:
    """A recording of a scene, the states that it may leave before its end, and the state after it."""

    scene: Scene
    recorded: Recorded
    allowed: list[State]
    after: State

    def cut(self, folder: Path, moment: int, seed: int, forget: Forgotten | None = None) -> Cut:
        """Cut the scene after some records, restart it in a new folder, and compare the states."""
        shutil.rmtree(folder, ignore_errors=True)
        disk = Disk(self.recorded.start)
        for each in self.recorded.records[:moment]:
            if forget is None or not forget(each):
                disk.apply(each)
        disk.cut(folder, seed)
        return Cut(moment, seed, "", list(self._violations(folder, is_done=moment == len(self.recorded.records))))

    def cuts(self, folder: Path, count: int, seed: int, forget: Forgotten | None = None) -> Iterator[Cut]:
        """Cut the scene `count` times: at its end, and at moments that are spread over it.

        With `forget`, these moments are those that a forgotten sync would have protected, above all the last ones.
        """
        rng, records = random.Random(seed), self.recorded.records
        spans = [range(1, len(records) + 1)] if forget is None else unprotected(records, forget)
        for number in range(count):
            span = rng.choice(spans)
            moments = (len(records), rng.choice(span), rng.choice(span) if forget is None else span[-1])
            yield self.cut(folder, moments[number % len(moments)], seed * 1_000_003 + number, forget)

    def _violations(self, folder: Path, *, is_done: bool) -> Iterator[str]:
        if self.scene.is_scrap and not is_done:
            return
        try:
            found = self.scene.state(folder)
        except (ArcidError, OSError, ValueError, AssertionError) as error:
            yield f"it cannot be used: {error!r}"
            return
        allowed = [self.after] if is_done else self.allowed
        for name in sorted({*found, *(name for each in allowed for name in each)}):
            if found.get(name) not in [each.get(name) for each in allowed]:
                kind = "done and lost" if found.get(name) in [each.get(name) for each in self.allowed] else "half done"
                yield f"{kind}: {name} is {str(found.get(name))[:200]}"


def record_scenes(scenes: dict[str, Scene], folder: Path) -> dict[str, RecordedScene]:
    """Record all possible scenes in one process: starting it takes longer than the scenes."""
    scenes = {name: scene for name, scene in scenes.items() if scene.is_possible()}
    roots = {name: folder / "disk" / str(number) for number, name in enumerate(scenes)}
    for name, scene in scenes.items():
        roots[name].mkdir(parents=True)
        scene.prepare(roots[name])
    shutil.copytree(folder / "disk", folder / "before")
    starts = {name: Start.of(root) for name, root in roots.items()}
    recorder = Recorder(folder / "disk", folder / "record")
    command = [sys.executable, "-m", "tests.powercut.scenes", *(f"{root}={name}" for name, root in roots.items())]
    variables = {**environment(recorder.root), **recorder.environment()}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.copytree(folder / "disk", folder / "after")
    parts = _parts(recorder.records())
    after = {name: scene.state(folder / "after" / roots[name].name) for name, scene in scenes.items()}
    made = {}
    for name, scene in scenes.items():
        before = scene.state(folder / "before" / roots[name].name)
        instead = [] if scene.instead is None else [after[scene.instead]]
        recorded = Recorded(starts[name], parts[name]).checked(roots[name])
        made[name] = RecordedScene(scene, recorded, [before, after[name], *instead], after[name])
    return made


def _parts(records: list[Record]) -> dict[str, list[Record]]:
    """Return the records of each scene, which follow its mark, with paths relative to its folder."""
    parts: dict[str, list[Record]] = {}
    for each in records:
        if each.operation is Operation.MARK:
            part = parts.setdefault(json.loads(each.data)["what"], [])
        else:
            part.append(replace(each, path=_below(each.path), path2=_below(each.path2)))
    return parts


def _below(path: str) -> str:
    return path.partition("/")[2]


def files_below(folder: Path) -> State:
    """Return the content of each file of a folder, by its path."""
    return {
        os.fspath(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
