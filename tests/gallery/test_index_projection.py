"""An index follows the database with any writer and after any failure."""

import errno
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pytest
from structlog.testing import capture_logs

from app.errors import FaceUnknown, IdentityUnknown
from app.gallery.index.flat import FlatIndex
from app.gallery.index.growing import GrowingIndex
from app.gallery.index.protocol import VectorIndex
from app.gallery.store.change_log import ChangeLog
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import IdempotencyRecord, Person
from app.recognition.candidates import nearest_candidates
from app.types import Floats, Keys
from tests.gallery.index.oracle import OracleIndex
from tests.recognition.enrolling import D, enroll, found, new_face, units
from tests.recognition.galleries import bytes_under, compared, gallery_on, index_of

KINDS: dict[str, Callable[[int], VectorIndex]] = {
    "flat": partial(FlatIndex, block_rows=8),
    "growing": partial(GrowingIndex, limit=20, block_rows=16),
}


@pytest.fixture(params=KINDS)
def replica(request, engine, tmp_path):
    """Replicas on one database, with the collection `people`, each with a separate folder: replica("a")."""
    opened = []

    def replica(name: str):
        gallery = gallery_on(engine, KINDS[request.param], model="net", dimension=D, folder=tmp_path / name)
        gallery.ensure("people")
        gallery.open()
        opened.append(gallery)
        return gallery

    yield replica
    for each in opened:
        each.close()


@pytest.fixture
def a(replica):
    return replica("a")


@pytest.fixture
def b(replica):
    return replica("b")


@pytest.fixture
def people(a):
    return a.require("people")


# Reading what was written


def test_a_write_is_found_at_once_where_it_was_made_and_elsewhere_after_following(a, b, people):
    vectors = units(40, seed=1)
    for number, vector in enumerate(vectors):
        writer, other = (a, b) if number % 3 else (b, a)
        enroll(writer, people, f"p{number}", vector[None])
        assert found(writer, people, vector) == f"p{number}"
        assert found(other, people, vector) != f"p{number}"
        other.follow()
        assert found(other, people, vector) == f"p{number}"


def test_a_collection_made_elsewhere_is_followed(a, b, people):
    a.ensure("new")
    vector = units(1, seed=1)
    enroll(a, a.require("new"), "ada", vector)
    b.follow()
    assert sorted(state.collection for state in b.states()) == ["new", "people"]
    assert found(b, b.require("new"), vector[0]) == "ada"


def test_states_tell_how_far_behind_an_index_is(a, b, people):
    enroll(a, people, "ada", units(2, seed=1))
    enroll(a, people, "bob", units(1, seed=2))
    (state,) = b.states()
    assert (state.kind, state.indexed, state.faces, state.revision, state.behind) == ("exact", 0, 3, 0, 2)
    assert state.seconds_behind > 0
    b.follow()
    (state,) = b.states()
    assert (state.indexed, state.revision, state.behind, state.seconds_behind) == (3, 2, 0, 0)


def test_who_was_long_current_is_not_long_behind(a, b, people):
    for each in (a, b):
        each._projection(people)._current_at -= 100  # it was opened long ago
    enroll(a, people, "ada", units(1, seed=1))
    b.follow()
    enroll(a, people, "bob", units(1, seed=2))
    assert 0 < b.states()[0].seconds_behind < 50


def test_a_retry_that_another_replica_answers_is_found_there(a, b, people):
    vectors = units(2, seed=1)
    for number, vector in enumerate(vectors):
        retry = IdempotencyRecord(f"key {number}", "request", {"answer": 1})
        a.add(people, Person(f"p{number}"), [new_face(vector)], retry)
        again = b.earlier_answer(people, retry) if number else b.add(people, Person("x"), [new_face(vector)], retry)
        assert again.earlier_answer == {"answer": 1}
        assert found(b, people, vector) == f"p{number}"


# Deleting


@pytest.mark.parametrize("what", ["face", "person"])
def test_who_was_removed_is_nowhere(a, b, people, tmp_path, what):
    """Not in the database, not in any index, and no file holds the vector: here at once, there by following."""
    vectors = units(30, seed=1)
    faces = [enroll(a, people, f"p{number}", vector[None])[0] for number, vector in enumerate(vectors)]
    b.follow()
    for each in (a, b):
        each.save()
    gone, stays = (vectors[number].astype("<f2").tobytes() for number in (17, 3))
    for name in ("a", "b"):
        assert gone in bytes_under(tmp_path / name)
    key = (a.remove_face(people, faces[17]) if what == "face" else a.remove_identity(people, "p17")).removed.keys
    assert gone not in bytes_under(tmp_path / "a")
    assert np.isnan(index_of(a, "people").vectors(np.array(key))).all()
    assert found(a, people, vectors[17]) != "p17"
    assert found(b, people, vectors[17]) != "p17"  # whom the database no longer knows, no index can name
    b.follow()
    assert gone not in bytes_under(tmp_path / "b")
    assert np.isnan(index_of(b, "people").vectors(np.array(key))).all()
    for name, each in (("a", a), ("b", b)):
        each.save()
        assert gone not in bytes_under(tmp_path / name)
        assert stays in bytes_under(tmp_path / name)


def test_what_is_not_there_cannot_be_removed(a, people):
    enroll(a, people, "ada", units(1, seed=1))
    with pytest.raises(FaceUnknown):
        a.remove_face(people, "nobody's")
    with pytest.raises(IdentityUnknown):
        a.remove_identity(people, "bob")
    a.ensure("other")
    with pytest.raises(IdentityUnknown):
        a.remove_identity(a.require("other"), "ada")


def test_of_a_person_with_two_faces_one_can_go(a, people):
    vectors = units(2, seed=1)
    faces = enroll(a, people, "ada", vectors)
    a.remove_face(people, faces[0])
    ((candidate,),) = nearest_candidates(a, people, vectors[:1], 5)
    assert (candidate.identity_id, candidate.face_id, candidate.faces) == ("ada", faces[1], 1)
    assert candidate.similarity == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-6)


def test_snapshots_of_before_a_log_was_trimmed_forget_as_well(engine, a, b, people, tmp_path):
    vectors = units(12, seed=1)
    enroll(a, people, "ada", vectors[:1])
    enroll(a, people, "bob", vectors[1:])
    b.follow()
    b.save()
    a.remove_identity(people, "ada")
    enroll(a, people, "eve", units(1, seed=2))
    ChangeLog(engine).trim(datetime.now(UTC) + timedelta(days=1))
    with capture_logs() as logs:
        b.follow()
    assert [log["event"] for log in logs] == ["index.built"]
    assert compared(engine, b, "people").is_empty()
    assert vectors[0].astype("<f2").tobytes() not in bytes_under(tmp_path / "b")


def test_a_snapshot_that_cannot_be_erased_now_goes_with_the_next(engine, a, people, tmp_path, monkeypatch):
    vectors = units(3, seed=1)
    for number, vector in enumerate(vectors):
        enroll(a, people, f"p{number}", vector[None])
    a.save()

    def fails(*_: object) -> None:
        raise OSError(errno.EROFS, "read-only file system")

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr("app.gallery.index_projection.purge_keys", fails)
        a.remove_identity(people, "p1")
    assert [(log["event"], log["log_level"]) for log in logs] == [("index.forget_failed", "error")]
    assert logs[0]["code"] == "storage_not_writable"
    assert "exc_info" not in logs[0]
    assert compared(engine, a, "people").is_empty()
    a.save()
    assert vectors[1].astype("<f2").tobytes() not in bytes_under(tmp_path / "a")
    assert vectors[2].astype("<f2").tobytes() in bytes_under(tmp_path / "a")


# Rebuilding


def test_who_is_behind_a_trimmed_log_builds_anew(engine, a, b, people):
    vectors = units(3, seed=1)
    enroll(a, people, "ada", vectors[:1])
    b.follow()
    enroll(a, people, "bob", vectors[1:2])
    ChangeLog(engine).trim(datetime.now(UTC) + timedelta(days=1))
    enroll(b, people, "eve", vectors[2:])
    assert [found(b, people, vector) for vector in vectors] == ["ada", "bob", "eve"]
    assert compared(engine, b, "people").is_empty()


def test_rebuilding_disturbs_neither_searches_nor_writes(engine, a, people):
    vectors = units(60, seed=1)
    enroll(a, people, "steady", vectors[:1])
    done = threading.Event()

    def search() -> int:
        searches = 0
        while not done.is_set():
            assert found(a, people, vectors[0]) == "steady"
            searches += 1
        return searches

    def rebuild() -> int:
        rebuilt = 0
        while not done.is_set():
            a._projection(people).rebuild()
            rebuilt += 1
        return rebuilt

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(search), pool.submit(rebuild)]
        try:
            for number in range(1, 60):
                enroll(a, people, f"p{number}", vectors[number : number + 1])
                assert found(a, people, vectors[number]) == f"p{number}"
                if number % 3 == 0:
                    a.remove_identity(people, f"p{number - 1}")
        finally:
            done.set()
        assert all(each.result(30) for each in running)
    assert compared(engine, a, "people").is_empty()


class FailingIndex(OracleIndex):
    """Fails to add or remove while `failures` last, as FAISS does when memory runs out."""

    def __init__(self, dimension: int, failures: list[Exception]) -> None:
        super().__init__(dimension)
        self._failures = failures

    def add(self, keys: Keys, vectors: Floats, *, owners: Keys | None = None) -> None:
        super().add(keys[:-1], vectors[:-1], owners=None if owners is None else owners[:-1])  # half-way
        if self._failures:
            raise self._failures.pop()
        super().add(keys, vectors, owners=owners)

    def remove(self, keys: Keys) -> None:
        if self._failures:
            raise self._failures.pop()
        super().remove(keys)


@pytest.mark.parametrize("failure", [RuntimeError("std::bad_alloc"), MemoryError()])
@pytest.mark.parametrize("by", ["writing", "following"])
@pytest.mark.parametrize("what", ["adding", "removing"])
def test_an_index_that_refused_a_change_is_built_anew_before_the_next_search(engine, failure, by, what):
    failures: list[Exception] = []
    failing = gallery_on(engine, lambda dimension: FailingIndex(dimension, failures), model="net", dimension=D)
    failing.ensure("people")
    people, vectors = failing.require("people"), units(4, seed=1)
    enroll(failing, people, "ada", vectors[:2])
    failures.append(failure)
    writer = failing if by == "writing" else gallery_on(engine, model="net", dimension=D)
    with capture_logs() as logs:
        if what == "adding":
            enroll(writer, people, "bob", vectors[2:])
        else:
            writer.remove_identity(people, "ada")
        failing.follow()
    assert not failures
    assert [log["event"] for log in logs if log["event"] != "index.built"] == ["index.change_failed"]
    assert found(failing, people, vectors[2]) == ("bob" if what == "adding" else None)
    assert compared(engine, failing, "people").is_empty()


def test_a_broken_index_is_not_saved(engine, people, tmp_path):
    failures: list[Exception] = []

    class Failing(FlatIndex):
        def add(self, keys: Keys, vectors: Floats, *, owners: Keys | None = None) -> None:
            if failures:
                raise failures.pop()
            super().add(keys, vectors, owners=owners)

    gallery = gallery_on(engine, Failing, model="net", dimension=D, folder=tmp_path / "own")
    failures.append(MemoryError())
    vector = units(1, seed=1)
    gallery.open()
    enroll(gallery, people, "ada", vector)
    gallery.save()
    restarted = gallery_on(engine, FlatIndex, model="net", dimension=D, folder=tmp_path / "own")
    restarted.open()
    assert compared(engine, restarted, "people").is_empty()
    assert found(gallery, people, vector[0]) == "ada"
    gallery.save()
    assert vector[0].astype("<f2").tobytes() in bytes_under(tmp_path / "own")


def test_what_an_index_refused_and_the_database_cannot_tell_now_is_there_later(engine, a, people, monkeypatch):
    """The write is committed; the answer failed, the follower brings it."""
    vectors = units(2, seed=1)
    enroll(a, people, "ada", vectors[:1])
    a._projection(people)._revision -= 1  # another process has written, so the log must be read
    with monkeypatch.context() as patch:

        def away(*_: object) -> None:
            raise ConnectionError

        patch.setattr(ChangeLog, "since", away)
        with pytest.raises(ConnectionError):
            enroll(a, people, "bob", vectors[1:])
    assert IdentityStore(engine).collection("people").faces == 2
    a.follow()
    assert found(a, people, vectors[1]) == "bob"
