import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session

from app.database.tables import ChangeTable, CollectionTable
from app.errors import FaceUnknown, IdempotencyConflict, IdentityUnknown
from app.gallery.store import change_log as log_module
from app.gallery.store.change_log import ChangeLog
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import ChangeBatch, Collection, IdempotencyRecord, Person
from tests.gallery.store.enrolling import D, enroll, new_face

_numbers = count()


@pytest.fixture
def log(engine):
    return ChangeLog(engine)


def changes(engine: Engine) -> list[tuple[int, int, bool]]:
    """Return the whole log: revision, key, whether it is a removal."""
    with engine.connect() as connection:
        query = select(ChangeTable.revision, ChangeTable.face_key, ChangeTable.is_removal).order_by(ChangeTable.id)
        return [(row.revision, row.face_key, row.is_removal) for row in connection.execute(query)]


def tail_of(log: ChangeLog, collection: Collection, revision: int) -> tuple[int, list[int], list[int]]:
    tail = log.since(collection, revision)
    assert tail is not None
    return tail.revision, sorted(tail.added.tolist()), sorted(tail.removed.tolist())


# Writes


def test_every_write_appends_its_keys_with_its_revision(store, people, engine, log):
    faces = [new_face(), new_face()]
    first = store.enroll(people, Person("ada"), faces)
    second = store.enroll(people, Person("bob"), [new_face()])
    face = store.remove_face(people, faces[0].face_id)
    person = store.remove_identity(people, "bob")
    assert [each.revision for each in (first, second, face, person)] == [1, 2, 3, 4]
    (one, two), (three,) = first.keys, second.keys
    assert changes(engine) == [(1, one, False), (1, two, False), (2, three, False), (3, one, True), (4, three, True)]
    assert log.revisions() == {people.key: 4}


def test_a_retry_appends_nothing(store, people, engine, log):
    retry = IdempotencyRecord("key", "request", {"answer": 1})
    store.enroll(people, Person("ada"), [new_face()], retry)
    before = changes(engine)
    assert store.enroll(people, Person("ada"), [new_face()], retry).earlier_answer
    with pytest.raises(IdempotencyConflict):
        store.enroll(people, Person("ada"), [new_face()], IdempotencyRecord("key", "another"))
    assert changes(engine) == before
    assert log.revisions() == {people.key: 1}


def test_a_write_that_fails_appends_nothing(store, people, engine, log):
    (face,) = enroll(store, people, "ada")
    with pytest.raises(FaceUnknown):
        store.remove_face(people, "nobody's")
    with pytest.raises(IdentityUnknown):
        store.remove_identity(people, "bob")
    with pytest.raises(Exception, match=r"faces[._]face_id"):
        store.enroll(people, Person("ada"), [new_face(), face])
    assert len(changes(engine)) == 1
    assert log.revisions() == {people.key: 1}


# Reads


def test_a_tail_is_the_net_effect_each_key_once(store, people, log):
    faces = [new_face(), new_face()]
    one, two = store.enroll(people, Person("ada"), faces).keys
    store.remove_face(people, faces[0].face_id)
    (three,) = store.enroll(people, Person("bob"), [new_face()]).keys
    assert tail_of(log, people, 0) == (3, [two, three], [one])
    assert tail_of(log, people, 1) == (3, [three], [one])
    assert tail_of(log, people, 2) == (3, [three], [])
    assert tail_of(log, people, 3) == (3, [], [])


def test_collections_have_their_own_tails(store, people, log):
    other = store.create_collection("other", model="net", dimension=D)
    (mine,) = store.enroll(people, Person("ada"), [new_face()]).keys
    (theirs,) = store.enroll(other, Person("ada"), [new_face()]).keys
    store.remove_identity(other, "ada")
    assert tail_of(log, people, 0) == (1, [mine], [])
    assert tail_of(log, other, 0) == (2, [], [theirs])


def test_there_is_no_tail_of_a_revision_that_is_not_yet(store, people, log):
    assert tail_of(log, people, 0) == (0, [], [])
    enroll(store, people, "ada")
    assert log.since(people, 2) is None
    assert log.since(people, -1) is None


def test_there_is_no_tail_of_a_collection_that_is_gone(store, people, engine, log):
    with engine.begin() as connection:
        connection.execute(delete(CollectionTable))
    assert log.since(people, 0) is None
    assert log.revisions() == {}


# Forgetting


def age(engine: Engine, revision: int, days: float) -> None:
    with engine.begin() as connection:
        moment = datetime.now(UTC) - timedelta(days=days)
        connection.execute(update(ChangeTable).where(ChangeTable.revision <= revision).values(created_at=moment))


def log_from(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.scalars(select(CollectionTable.log_from).order_by(CollectionTable.id)))


def test_what_is_old_is_forgotten_and_the_rest_stays(store, people, engine, log):
    other = store.create_collection("other", model="net", dimension=D)
    for number in range(4):
        enroll(store, people, f"p{number}", 2)
    enroll(store, other, "ada")
    age(engine, 2, days=8)
    with engine.begin() as connection:
        connection.execute(
            update(ChangeTable).where(ChangeTable.collection_id == other.key).values(created_at=datetime.now(UTC))
        )
    assert log.trim(datetime.now(UTC) - timedelta(days=7)) == 4
    assert log_from(engine) == [2, 0]
    assert log.since(people, 1) is None
    assert tail_of(log, people, 2)[0] == 4
    assert len(tail_of(log, people, 2)[1]) == 4
    assert len(tail_of(log, other, 0)[1]) == 1
    assert log.trim(datetime.now(UTC) - timedelta(days=7)) == 0


def test_a_revision_is_forgotten_with_all_before_it(store, people, engine, log):
    """Clocks differ: a later revision may carry an earlier time."""
    for number in range(3):
        enroll(store, people, f"p{number}")
    with engine.begin() as connection:
        old = datetime.now(UTC) - timedelta(days=8)
        connection.execute(update(ChangeTable).where(ChangeTable.revision == 2).values(created_at=old))
    assert log.trim(datetime.now(UTC) - timedelta(days=7)) == 2
    assert [revision for revision, _, _ in changes(engine)] == [3]
    assert log_from(engine) == [2]


def test_where_a_log_begins_never_goes_back(store, people, engine, log):
    """Another replica has trimmed more between this one's looking and its writing."""
    for number in range(3):
        enroll(store, people, f"p{number}")
    with engine.begin() as connection:
        connection.execute(update(CollectionTable).values(log_from=3))
    age(engine, 1, days=8)
    log.trim(datetime.now(UTC) - timedelta(days=7))
    assert log_from(engine) == [3]


# Properties


@pytest.fixture(scope="module")
def kept_engine(databases) -> Iterator[Engine]:
    with databases.engine() as engine:
        yield engine


@settings(max_examples=20)
@given(
    steps=st.lists(st.tuples(st.sampled_from(["enroll", "enroll", "face", "person"]), st.integers(0, 9)), max_size=12)
)
def test_every_tail_leads_from_then_to_now(kept_engine, steps):
    store, log = IdentityStore(kept_engine), ChangeLog(kept_engine)
    people = store.create_collection(f"c{next(_numbers)}", model="net", dimension=D)
    states: list[dict[int, str]] = [{}]
    faces: dict[str, tuple[int, str]] = {}
    for what, number in steps:
        state = dict(states[-1])
        if what == "enroll":
            new = [new_face() for _ in range(1 + number % 3)]
            keys = store.enroll(people, Person(f"p{number % 4}"), new).keys
            state |= dict.fromkeys(keys, f"p{number % 4}")
            faces |= {face.face_id: (key, face.face_id) for face, key in zip(new, keys, strict=True)}
        elif what == "face" and state:
            key = sorted(state)[number % len(state)]
            (face_id,) = [face for own, face in faces.values() if own == key]
            assert list(store.remove_face(people, face_id).keys) == [key]
            del state[key]
        elif what == "person" and f"p{number % 4}" in state.values():
            store.remove_identity(people, f"p{number % 4}")
            state = {key: owner for key, owner in state.items() if owner != f"p{number % 4}"}
        else:
            continue
        states.append(state)
    for revision, state in enumerate(states):
        now, added, removed = tail_of(log, people, revision)
        assert now == len(states) - 1
        assert len({*added, *removed}) == len(added) + len(removed)
        assert (set(state) - set(removed)) | set(added) == set(states[-1])


# Concurrent transactions


class Reader:
    """Follows a log as a replica does, and remembers what it knew at which revision."""

    def __init__(self, log: ChangeLog, collection: Collection) -> None:
        self._log = log
        self._collection = collection
        self.revision = 0
        self.seen: list[int] = []
        self.known = {0: frozenset[int]()}

    def follow(self) -> ChangeBatch:
        tail = self._log.since(self._collection, self.revision)
        assert tail is not None
        assert tail.revision >= self.revision
        self.seen += tail.added.tolist()
        self.revision = tail.revision
        self.known[self.revision] = frozenset(self.seen)
        return tail


def test_a_writer_that_commits_late_is_never_passed(store, people, engine, log):
    """One holds its transaction open; the next waits for it, others do not, and the follower misses nobody."""
    other = store.create_collection("other", model="net", dimension=D)
    reader = Reader(log, people)
    with ThreadPoolExecutor(1) as pool:
        with Session(engine) as session, session.begin():
            revision = log_module.next_revision(session, people)
            log_module.append(session, people, revision, [111], is_removal=False, now=datetime.now(UTC))
            session.flush()
            second = pool.submit(enroll, store, people, "bob")
            with pytest.raises(TimeoutError):
                second.result(0.2)
            if engine.dialect.name == "postgresql":  # of SQLite's writers there is one for all collections
                enroll(store, other, "ada")
            assert len(reader.follow().added) == 0
            assert reader.revision == 0
        second.result(10)
    reader.follow()
    assert reader.revision == 2
    assert len(reader.seen) == 2
    assert 111 in reader.seen


def test_a_writer_that_gives_up_leaves_no_gap(store, people, engine, log):
    with Session(engine) as session:
        session.begin()
        revision = log_module.next_revision(session, people)
        log_module.append(session, people, revision, [111], is_removal=False, now=datetime.now(UTC))
        session.rollback()
    assert store.enroll(people, Person("ada"), [new_face()]).revision == 1
    assert 111 not in tail_of(log, people, 0)[1]


def test_who_follows_many_writers_knows_at_each_revision_all_that_belongs_to_it(store, people, engine, log):
    done = threading.Event()
    reader = Reader(log, people)

    def follow() -> None:
        while not done.is_set():
            reader.follow()

    with ThreadPoolExecutor(5) as pool:
        following = pool.submit(follow)
        try:
            written = list(
                pool.map(
                    lambda n: store.enroll(people, Person(f"p{n % 5}"), [new_face() for _ in range(n % 3)]), range(40)
                )
            )
        finally:
            done.set()
        following.result(10)
    reader.follow()
    assert sorted(each.revision for each in written) == list(range(1, 41))
    for revision, known in reader.known.items():
        assert known == {key for each in written if each.revision <= revision for key in each.keys}
    assert len(reader.seen) == len(set(reader.seen))
