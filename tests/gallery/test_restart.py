"""A replica starts with its snapshot and the end of the log, or with the database."""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from app.gallery.index.flat import FlatIndex
from app.gallery.index.growing import GrowingIndex
from app.gallery.index.storage.snapshot_origin import SnapshotOrigin
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Collection, Templates
from tests.recognition.enrolling import D, enroll, found, units
from tests.recognition.galleries import compared, gallery_on, index_of

KINDS = {
    "flat": partial(FlatIndex, block_rows=8),
    "growing": partial(GrowingIndex, limit=20, block_rows=8),
}


class Spy(IdentityStore):
    """Counts the vectors that are read."""

    def __init__(self, engine) -> None:
        super().__init__(engine)
        self.paged = self.asked = 0

    def templates(self, collection: Collection, *, first: int = 1, last: int | None = None) -> Iterator[Templates]:
        for each in super().templates(collection, first=first, last=last):
            self.paged += len(each.keys)
            yield each

    def templates_of(self, keys, collection=None) -> Iterator[Templates]:
        for each in super().templates_of(keys, collection):
            self.asked += len(each.keys)
            yield each


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.fixture
def start(engine, kind, tmp_path):
    """Start a replica as after a restart; gives its gallery, and the store that counts what it reads."""
    opened = []

    def start(folder: Path = tmp_path / "data"):
        spy = Spy(engine)
        gallery = gallery_on(engine, kind, model="net", dimension=D, folder=folder, store=spy)
        gallery.ensure("people")
        gallery.open()
        opened.append(gallery)
        return gallery, spy

    yield start
    for each in opened:
        each._projections.clear()  # all pending snapshots are saved
        each.close()


@pytest.fixture
def vectors():
    return units(40, seed=1)


@pytest.fixture
def folder(start, vectors, tmp_path):
    """The snapshot folder of `people`, p0 to p29, all saved."""
    gallery, _ = start()
    people = gallery.require("people")
    for number in range(30):
        enroll(gallery, people, f"p{number}", vectors[number : number + 1])
    gallery.close()
    return tmp_path / "data" / people.uid


def events(logs) -> list[str]:
    wanted = {"index.built", "index.restored", "index.snapshot_ignored", "index.snapshot_missing"}
    return [log["event"] for log in logs if log["event"] in wanted]


def is_as_the_database(engine, gallery, vectors, people=30) -> None:
    assert compared(engine, gallery, "people").is_empty()
    collection = gallery.require("people")
    assert [found(gallery, collection, each) for each in vectors[:people]] == [f"p{n}" for n in range(people)]


def test_only_the_tail_is_read(engine, start, folder, vectors):
    other = gallery_on(engine, model="net", dimension=D)
    people = other.require("people")
    for number in range(30, 33):
        enroll(other, people, f"p{number}", vectors[number : number + 1])
    other.remove_identity(people, "p4")
    with capture_logs() as logs:
        gallery, spy = start()
    assert (spy.paged, spy.asked) == (0, 3)
    assert events(logs) == ["index.restored"]
    assert compared(engine, gallery, "people").is_empty()
    assert found(gallery, people, vectors[32]) == "p32"
    assert found(gallery, people, vectors[4]) != "p4"


def test_nothing_new_is_nothing_to_read(engine, start, folder, vectors):
    gallery, spy = start()
    assert (spy.paged, spy.asked) == (0, 0)
    is_as_the_database(engine, gallery, vectors)


def test_what_did_not_change_is_not_saved_again(start, folder):
    def written() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.name != ".lock"}

    before = written()
    gallery, _ = start()
    gallery.save()
    gallery.close()
    assert written() == before


def test_without_a_folder_everything_is_read(engine, start, folder, vectors, tmp_path):
    with capture_logs() as logs:
        gallery, spy = start(tmp_path / "another")
    assert (spy.paged, spy.asked) == (30, 0)
    assert events(logs) == ["index.snapshot_missing", "index.built"]
    is_as_the_database(engine, gallery, vectors)


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.segment"))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def disguised(path: Path) -> None:
    """Put another segment in its place: whole, but of other people."""
    other = next(each for each in segments(path.parent) if each != path)
    shutil.copyfile(other, path)


@pytest.mark.parametrize("damage", [Path.unlink, flip, cut, empty, disguised])
def test_a_damaged_file_is_read_from_the_database_and_mended(engine, start, folder, vectors, damage):
    damage(segments(folder)[1])
    with capture_logs() as logs:
        gallery, spy = start()
    assert events(logs) == ["index.restored"]
    assert 0 < spy.paged < 30
    is_as_the_database(engine, gallery, vectors)
    gallery.close()
    gallery, spy = start()
    assert (spy.paged, spy.asked) == (0, 0)
    is_as_the_database(engine, gallery, vectors)


def test_all_files_damaged(engine, start, folder, vectors):
    for path in segments(folder):
        flip(path)
    gallery, _ = start()
    is_as_the_database(engine, gallery, vectors)


def manifest(folder: Path) -> Path:
    return folder / "manifest.json"


def wrong_revision(folder: Path) -> None:
    text = manifest(folder).read_text()
    assert '"revision": 30' in text
    manifest(folder).write_text(text.replace('"revision": 30', '"revision": 29'))


def only_rubbish(folder: Path) -> None:
    for path in folder.iterdir():
        path.write_text("Here is no snapshot.")


def nothing(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.touch()


WRONG: dict[str, Callable[[Path], object]] = {
    "no manifest": lambda folder: manifest(folder).unlink(),
    "cut manifest": lambda folder: cut(manifest(folder)),
    "empty manifest": lambda folder: empty(manifest(folder)),
    "another revision": wrong_revision,
    "only rubbish": only_rubbish,
    "nothing": nothing,
    "no folder": shutil.rmtree,
    "a file instead": a_file,
}


@pytest.mark.parametrize("what", WRONG)
def test_a_snapshot_that_cannot_be_trusted_is_ignored(engine, start, folder, vectors, what):
    WRONG[what](folder)
    is_there = manifest(folder).is_file()
    with capture_logs() as logs:
        gallery, spy = start()
    assert events(logs) == ["index.snapshot_ignored" if is_there else "index.snapshot_missing", "index.built"]
    assert spy.paged == 30
    is_as_the_database(engine, gallery, vectors)


@pytest.mark.parametrize("what", ["model", "collection", "newer", "dimension"])
def test_a_whole_snapshot_of_something_else_is_ignored(engine, start, folder, vectors, what):
    """It would name people by other people's vectors."""
    shutil.rmtree(folder)
    dimension = D + 1 if what == "dimension" else D
    foreign = FlatIndex(dimension, block_rows=8)
    foreign.add(np.arange(1, 31), np.ones((30, dimension), np.float32))
    model = "another net" if what == "model" else "net"
    origin = SnapshotOrigin(model, "another" if what == "collection" else folder.name)
    foreign.save(folder, origin, 31 if what == "newer" else 30)
    with capture_logs() as logs:
        gallery, spy = start()
    assert events(logs) == ["index.snapshot_ignored", "index.built"]
    assert spy.paged == 30
    is_as_the_database(engine, gallery, vectors)
    gallery.close()
    gallery, spy = start()
    assert spy.paged == 0
    is_as_the_database(engine, gallery, vectors)


def test_a_snapshot_of_a_kind_that_is_no_longer_asked_for(engine, folder, vectors, tmp_path):
    gallery = gallery_on(engine, FlatIndex, model="net", dimension=D, folder=tmp_path / "data")
    gallery.open()
    is_as_the_database(engine, gallery, vectors)


def test_where_nothing_can_be_saved_the_service_goes_on(engine, start, vectors, tmp_path):
    (tmp_path / "blocked").touch()
    gallery, _ = start(tmp_path / "blocked")
    people = gallery.require("people")
    enroll(gallery, people, "p0", vectors[:1])
    with capture_logs() as logs:
        gallery.save()
    assert [(log["event"], log["log_level"]) for log in logs] == [("index.save_failed", "error")]
    enroll(gallery, people, "p1", vectors[1:2])
    is_as_the_database(engine, gallery, vectors, people=2)
    gallery.remove_identity(people, "p1")
    is_as_the_database(engine, gallery, vectors, people=1)


def test_a_save_that_failed_is_tried_again(engine, start, folder, vectors, monkeypatch):
    gallery, _ = start()
    people = gallery.require("people")
    enroll(gallery, people, "p30", vectors[30:31])

    def fails(*_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch, capture_logs():
        patch.setattr("app.gallery.index.storage.snapshot.write_segment", fails)
        gallery.save()
    late, spy = start()
    assert spy.asked == 1  # the old snapshot stands
    gallery.save()
    late, spy = start()
    assert (spy.paged, spy.asked) == (0, 0)
    is_as_the_database(engine, late, vectors, people=31)


def test_a_growing_index_comes_back_as_what_it_has_become(engine, tmp_path):
    new = partial(GrowingIndex, limit=100, block_rows=64)
    vectors = units(300, seed=1)
    gallery = gallery_on(engine, new, model="net", dimension=D, folder=tmp_path)
    gallery.ensure("people")
    people = gallery.require("people")
    for number in range(10):
        enroll(gallery, people, f"p{number}", vectors[30 * number : 30 * number + 30])
    index = index_of(gallery, "people")
    assert isinstance(index, GrowingIndex)
    assert index._builder is not None
    index._builder.join(60)
    gallery.remove_identity(people, "p3")
    assert gallery.states()[0].kind == "compressed"
    gallery.close()
    spy = Spy(engine)
    again = gallery_on(engine, new, model="net", dimension=D, folder=tmp_path, store=spy)
    again.open()
    assert (spy.paged, spy.asked) == (0, 0)
    assert again.states()[0].kind == "compressed"
    assert compared(engine, again, "people").is_empty()
    again.close()
