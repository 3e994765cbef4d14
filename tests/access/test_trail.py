import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.access.keys import NewKey, Scope
from app.access.trail import Anchor, Trail
from app.database import audit
from app.database.audit import GENESIS, Action, Actor, Entry, acting
from app.errors import IdentityUnknown, TrailBroken
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import CollectionSettings, IdempotencyRecord, Person
from tests.databases import sqlite_databases
from tests.gallery.store.enrolling import D, enroll, new_face


@pytest.fixture
def store(engine):
    return IdentityStore(engine)


def write(engine, lines):
    for number in range(lines):
        with engine.begin() as connection:
            audit.append(connection, Action.IDENTITY_ENROLLED, collection="people", subject=f"p{number}")


def breaks(trail, anchor=None):
    return [(each.seq, each.what.split(":")[0]) for each in trail.verify(anchor).breaks]


def test_an_empty_trail_is_unbroken(trail):
    verdict = trail.verify()
    assert (verdict.lines, verdict.head, verdict.breaks) == (0, Anchor(0, GENESIS), [])


def test_who_did_what_to_whom_and_when(trail, engine, store):
    before = datetime.now(UTC)
    people = store.create_collection("people", model="net", dimension=D)
    with acting(Actor("door", "00aa11bb", "request-1")):
        enroll(store, people, "ada", faces=2)
        face = enroll(store, people, "bob")[0]
    store.remove_face(people, face.face_id)
    store.remove_identity(people, "ada")
    store.change_settings("people", CollectionSettings(enroll_quality=0.5))
    lines = [each.entry for each in trail.lines()]
    assert [(each.seq, each.action, each.actor, each.collection, each.subject) for each in lines] == [
        (1, "collection.created", "cli", "people", None),
        (2, "identity.enrolled", "door", "people", "ada"),
        (3, "identity.enrolled", "door", "people", "bob"),
        (4, "face.deleted", "cli", "people", "bob"),
        (5, "identity.deleted", "cli", "people", "ada"),
        (6, "collection.changed", "cli", "people", None),
    ]
    assert {(each.key_id, each.request_id) for each in lines} == {("00aa11bb", "request-1"), (None, None)}
    assert all(before <= each.at <= datetime.now(UTC) for each in lines)
    assert lines[4].detail == {"faces": 2}
    assert trail.verify().breaks == []


def test_keys_are_in_the_trail_without_their_secrets(trail, keys):
    key, secret = keys.create(NewKey("door", [Scope.ENROLL], ["people"]))
    keys.revoke("door")
    lines = [each.entry for each in trail.lines()]
    assert [(each.action, each.subject, each.detail["key_id"]) for each in lines] == [
        ("key.created", "door", key.key_id),
        ("key.revoked", "door", key.key_id),
    ]
    assert secret.split("_", 2)[2] not in repr(lines)


def test_what_changes_nothing_leaves_no_line(trail, store):
    people = store.create_collection("people", model="net", dimension=D)
    with pytest.raises(IdentityUnknown):
        store.remove_identity(people, "nobody")
    for _ in range(2):
        store.enroll(people, Person("ada"), [new_face()], IdempotencyRecord("k", "0" * 64, {"a": 1}))
    assert [each.entry.action for each in trail.lines()] == ["collection.created", "identity.enrolled"]
    assert trail.verify().breaks == []


def test_a_transaction_that_fails_leaves_no_line_and_no_gap(trail, engine):
    write(engine, 1)
    with pytest.raises(ZeroDivisionError), engine.begin() as connection:  # noqa: PT012 - both are needed
        audit.append(connection, Action.IDENTITY_ENROLLED, subject="nobody")
        raise ZeroDivisionError
    write(engine, 1)
    assert [each.entry.seq for each in trail.lines()] == [1, 2]
    assert trail.verify().breaks == []


def test_many_writers_make_one_chain(trail, store):
    collections = [store.create_collection(f"c{number}", model="net", dimension=D) for number in range(4)]

    def work(number):
        with acting(Actor(f"writer-{number}")):
            for each in range(10):
                enroll(store, collections[(number + each) % 4], f"p{number}-{each}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    verdict = trail.verify()
    assert (verdict.lines, verdict.breaks) == (84, [])
    by_actor = [each.entry.subject.split("-")[0] for each in trail.lines() if each.entry.actor.startswith("writer")]
    assert sorted(by_actor) == sorted(f"p{number}" for number in range(8) for _ in range(10))


def test_long_trails_are_read_in_parts(trail, engine, monkeypatch):
    monkeypatch.setattr("app.access.trail._READ_AT_ONCE", 3)
    write(engine, 10)
    assert [each.entry.seq for each in trail.lines()] == list(range(1, 11))
    assert trail.verify().lines == 10


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"])
def test_the_database_lets_nobody_but_append(trail, engine, statement):
    write(engine, 2)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement))
    assert trail.verify().lines == 2


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'x'",
        "key_id = '0'",
        "request_id = '0'",
        "action = 'face.deleted'",
        "collection = NULL",
        "subject = 'q'",
        "detail = '{\"faces\": 3}'",
        "at = '2026-01-01 00:00:00'",
    ],
)
def test_an_edited_line_is_named(trail, engine, tamper, change):
    write(engine, 5)
    tamper(f"UPDATE audit SET {change} WHERE seq = 3")  # noqa: S608 - constants
    assert breaks(trail) == [(3, "changed")]


_COLUMNS = "seq, at, actor, action, detail, previous, sha256"
_SAME = f"SELECT {_COLUMNS} FROM audit WHERE seq = 2"  # noqa: S608 - constants


@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT INTO audit ({_COLUMNS}) {_SAME} ON CONFLICT (seq) DO UPDATE SET actor = 'x'",
        "INSERT INTO audit_head (seq, sha256) VALUES (0, 'x')",
        "DELETE FROM audit_head",
    ],
)
def test_lines_are_not_replaced_and_the_head_stays_alone(trail, engine, statement):
    write(engine, 3)
    if engine.dialect.name == "sqlite":
        statement = (
            statement.replace(" ON CONFLICT", " WHERE true ON CONFLICT") if "WHERE" not in statement else statement
        )
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement))
    if engine.dialect.name == "sqlite":
        for key in ("seq", "id, seq"):
            chosen = f"REPLACE INTO audit ({key}, {_COLUMNS[5:]}) SELECT {key}, {_COLUMNS[5:]} FROM audit WHERE seq = 2"  # noqa: S608
            with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
                connection.execute(text(chosen))
    assert trail.verify().breaks == []


def test_a_head_that_is_gone_or_doubled_is_reported(trail, engine, tamper):
    write(engine, 3)
    end = trail.end()
    assert end == trail.verify().head
    tamper("INSERT INTO audit_head (seq, sha256) VALUES (0, 'x')")
    assert breaks(trail) == [(4, "the trail has 2 head rows instead of one")]
    write(engine, 1)  # writers continue
    assert trail.verify(end).lines == 4
    tamper("DELETE FROM audit_head")
    assert [seq for seq, _ in breaks(trail)] == [5]
    with pytest.raises(TrailBroken):
        write(engine, 1)
    with pytest.raises(TrailBroken):
        trail.end()


@pytest.mark.parametrize(
    "change",
    [
        "at = 'never'",
        "detail = '{'",
        "detail = 'null'",
        "detail = '[1]'",
        "detail = '{\"a\": NaN}'",
        'detail = \'{"a": "\\ud800"}\'',
        "detail = '{\"a\": ' || printf('%.*c', 300, '[') || printf('%.*c', 300, ']') || '}'",
        "detail = printf('%.*c', 100000, '[')",
        "actor = x'00ff'",
        "previous = 5",
        "seq = 'x'",
        "at = 7",
        "sha256 = x'ff'",
    ],
)
def test_whatever_is_in_a_line_is_reported(tmp_path, change):
    with sqlite_databases(tmp_path).engine() as engine:
        write(engine, 4)
        with engine.begin() as connection:
            connection.execute(text("DROP TRIGGER audit_no_update"))
            escaped = change.replace(":", r"\:")
            connection.execute(text(f"UPDATE audit SET {escaped} WHERE seq = 3"))  # noqa: S608 - constants
        trail = Trail(engine)
        verdict = trail.verify()
        assert verdict.breaks
        assert 3 in {each.seq for each in verdict.breaks}
        assert len(list(trail.lines_and_breaks())) == 4
        read = list(trail.lines())
        assert [each.entry.seq for each in read if each.entry.seq != 3] == [1, 2, 4]
        json.dumps([each.entry.content() for each in read], allow_nan=False, ensure_ascii=False).encode()
        assert [each.entry.subject for each in trail.about("people", "p0")] == ["p0"]
        assert len(list(trail.about("people", "p2"))) == len(read) - 3


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DROP TABLE audit", "missing: the database has no table audit"),
        ("DROP TABLE audit_head", "missing: the database has no table audit_head"),
        ("ALTER TABLE audit DROP COLUMN detail", "missing: the table audit has no column detail"),
    ],
)
def test_a_table_that_is_gone_is_reported(trail, engine, tamper, statement, what):
    write(engine, 2)
    tamper(statement)
    assert [each.what for each in trail.verify().breaks] == [what]
    for read in (trail.end, lambda: list(trail.lines())):
        with pytest.raises(TrailBroken, match=what):
            read()


def test_an_edited_line_with_a_new_hash_breaks_the_next(trail, engine, tamper):
    write(engine, 5)
    third = [each.entry for each in trail.lines()][2]
    forged = Entry(**{**third.content(), "at": third.at, "subject": "q"})
    tamper(f"UPDATE audit SET subject = 'q', sha256 = '{forged.sha256()}' WHERE seq = 3")  # noqa: S608 - constants
    assert breaks(trail) == [(4, "does not follow the line before it")]


@pytest.mark.parametrize("gone", [1, 3])
def test_a_removed_line_is_named(trail, engine, tamper, gone):
    write(engine, 5)
    tamper(f"DELETE FROM audit WHERE seq = {gone}")  # noqa: S608 - constants
    assert breaks(trail) == [(gone, "missing")]


def test_the_last_lines_cannot_be_cut_off(trail, engine, tamper):
    write(engine, 5)
    tamper("DELETE FROM audit WHERE seq > 3")
    assert breaks(trail) == [(4, "missing")]


def test_reordered_lines_are_named(trail, engine, tamper):
    write(engine, 5)
    tamper(
        "UPDATE audit SET seq = 99 WHERE seq = 2",
        "UPDATE audit SET seq = 2 WHERE seq = 3",
        "UPDATE audit SET seq = 3 WHERE seq = 99",
    )
    assert {seq for seq, _ in breaks(trail)} == {2, 3, 4}


def test_a_trail_rewritten_as_a_whole_is_found_by_an_anchor(trail, engine, tamper):
    write(engine, 3)
    anchor = trail.verify().head
    write(engine, 2)
    assert breaks(trail, anchor) == []
    tamper("DELETE FROM audit", f"UPDATE audit_head SET seq = 0, sha256 = '{GENESIS}'")  # noqa: S608 - a constant
    write(engine, 5)
    assert breaks(trail) == []
    assert breaks(trail, anchor) == [(3, "the line does not have the hash of the given anchor")]


def test_actors_end_with_their_context():
    with acting(Actor("a")):
        with acting(Actor("b")):
            pass
        assert audit._actor.get() == Actor("a")
    assert audit._actor.get() == Actor("cli")
