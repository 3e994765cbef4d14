from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from app.access.trail import Trail
from app.config import PROJECT
from app.database import (  # noqa: F401 - registers their tables
    claim_table,
    delivery_tables,
    event_position_table,
    liveness_calibration_table,
    liveness_tables,
    review_tables,
    rule_tables,
    statistics_tables,
    unknown_face_tables,
)
from app.database.engine import open_engine, sqlite_url
from app.database.schema import Schema
from app.database.table_types import Base
from app.errors import CollectionNotEmpty, DatabaseUnavailable, SchemaOutdated
from app.gallery.store.change_log import ChangeLog
from app.gallery.store.identities import IdentityStore
from app.gallery.store.listing import ListingRepository
from app.gallery.store.name_search import words
from app.gallery.store.shared_revisions import SharedIndexes
from app.gallery.store.values import CollectionSettings, NewFace, Person
from app.types import Detection
from app.vision.quality import Quality

MIGRATIONS = PROJECT / "migrations"
_ONE_COLLECTION = text(
    "INSERT INTO collections (id, name, model, dimension, revision, created_at)"
    " VALUES (1, 'a', 'm', 4, 0, '2026-01-01 00:00:00')"
)
FIRST_TABLES = {"collections", "enrolments", "faces", "identities"}
TABLES = FIRST_TABLES | {"alembic_version", "api_keys", "audit", "audit_head", "changes", "shared_indexes"}
TABLES |= {"claims", "crops", "data_keys", "job_errors", "jobs", "next_templates"}
TABLES |= {"calibration_versions", "probe_moments", "sessions", "statistics"}
TABLES |= {"liveness_calibrations", "liveness_challenges", "liveness_frames"}
TABLES |= {"events"}
TABLES |= {"cameras"}
TABLES |= {"event_positions", "rules", "rule_cooldowns"}
TABLES |= {"unknown_crops", "unknown_faces", "unknown_groups", "unknown_separations"}
TABLES |= {"deliveries", "delivery_head", "delivery_lanes", "destinations"}
TABLES |= {"review_candidates", "review_decisions", "review_images", "reviews"}


@pytest.fixture
def engine(databases):
    with databases.engine(is_empty=True) as engine:
        yield engine


@pytest.fixture
def schema(engine):
    return Schema(engine, MIGRATIONS)


_COLLECTION = """
    INSERT INTO collections (id, name, model, dimension, revision, created_at)
    VALUES (:key, :name, 'm', 4, 7, '2026-01-01 00:00:00')
"""
_ENROLLMENT = """
    INSERT INTO enrolments (collection_id, idempotency_key, request_sha256, answer, created_at)
    VALUES (:key, 'k', :sha256, '{}', '2026-01-01 00:00:00')
"""
_IDENTITY = """
    INSERT INTO identities (id, collection_id, identity_id, metadata, created_at, updated_at)
    VALUES (:person, :key, :id, '{}', '2026-01-01 00:00:00', '2026-01-01 00:00:00')
"""
_FACE = """
    INSERT INTO faces (
        face_id, collection_id, identity_key, model, embedding, norm, detection_score, box, landmarks, image_sha256,
        created_at
    ) VALUES (:face, :key, :person, 'm', :embedding, 20.5, 0.9, '[0, 0, 9, 9]', '[]', :sha256, '2026-01-01 00:00:00')
"""
_EMBEDDING = bytes.fromhex("0000803f000000000000000000000000")


def migrated(engine, target: str, *, is_upgrade: bool = False) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        (command.upgrade if is_upgrade else command.downgrade)(config, target)


def test_an_upgraded_database_has_exactly_the_tables_of_the_code(engine, schema):
    schema.upgrade()
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
    assert set(inspect(engine).get_table_names()) - {"sqlite_sequence"} == TABLES


def test_an_upgraded_database_never_uses_a_key_again(engine, schema):
    schema.upgrade()
    # SQLite would reuse the highest free key; a sequence of PostgreSQL never goes back.
    if engine.dialect.name == "sqlite":
        query, sign = "SELECT sql FROM sqlite_master WHERE name = :name", "AUTOINCREMENT"
    else:
        query, sign = "SELECT pg_get_serial_sequence(:name, 'id')", "_id_seq"
    with engine.connect() as connection:
        with_keys_of_others = {"crops", "next_templates", "review_images", "unknown_crops"}
        for table in sorted(TABLES - {"alembic_version"} - with_keys_of_others):
            assert sign in connection.execute(text(query), {"name": table}).scalar_one()


def test_an_empty_database_is_not_current(schema):
    assert schema.current() == "empty"
    with pytest.raises(SchemaOutdated, match=r"revision empty.*needs \w+; run: arcid db upgrade"):
        schema.require_current()


def test_upgrade_brings_the_database_to_the_head(schema):
    schema.upgrade()
    assert schema.current() == schema.head() != "empty"
    schema.require_current()


def test_upgrading_twice_keeps_what_is_stored(engine, schema):
    schema.upgrade()
    with engine.begin() as connection:
        connection.execute(text(_COLLECTION), {"key": 1, "name": "a"})
    schema.upgrade()
    schema.require_current()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT name FROM collections")).scalars().all() == ["a"]


def test_a_newer_database_is_not_current(engine, schema):
    schema.upgrade()
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaOutdated, match="revision 9999"):
        schema.require_current()


def test_a_newer_database_is_left_alone(engine, schema):
    schema.upgrade()
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaOutdated, match="9999"):
        schema.upgrade()
    assert schema.current() == "9999"


def test_a_database_that_does_not_answer(tmp_path):
    (tmp_path / "arcid.db").write_text("This is no database." * 100)
    engine = open_engine(sqlite_url(tmp_path / "arcid.db"))
    schema = Schema(engine, MIGRATIONS)
    for use in (schema.current, schema.require_current, schema.upgrade):
        with pytest.raises(DatabaseUnavailable, match="ARCID_DATABASE_URL"):
            use()
    engine.dispose()


def test_downgrade_leads_back_to_nothing(engine, schema):
    schema.upgrade()
    migrated(engine, "base")
    assert schema.current() == "empty"
    assert set(inspect(engine).get_table_names()) <= {"alembic_version", "sqlite_sequence"}
    schema.upgrade()
    schema.require_current()


def test_asking_does_not_wait_for_a_writer(engine, schema):
    schema.upgrade()
    with engine.begin() as writer, ThreadPoolExecutor(1) as pool:
        writer.execute(text("DELETE FROM collections"))
        pool.submit(schema.require_current).result(timeout=3)


def test_a_folder_with_a_percent_sign_is_no_trouble(engine, tmp_path):
    folder = tmp_path / "100% migrations"
    folder.symlink_to(MIGRATIONS)
    schema = Schema(engine, folder)
    schema.upgrade()
    schema.require_current()


# 0002: quality, practice, counters


@pytest.fixture
def filled(engine):
    """A database of the first revision: `many` with 3 people and 6 faces, `few` with 1 and 1, `none`."""
    migrated(engine, "0001", is_upgrade=True)
    with engine.begin() as connection:
        for key, (name, faces) in enumerate({"many": (1, 2, 3), "few": (1,), "none": ()}.items(), start=1):
            connection.execute(text(_COLLECTION), {"key": key, "name": name})
            connection.execute(text(_ENROLLMENT), {"key": key, "sha256": "0" * 64})
            for number, count in enumerate(faces):
                person = 10 * key + number
                connection.execute(text(_IDENTITY), {"person": person, "key": key, "id": f"p{person}"})
                for face in range(count):
                    row = {"face": f"face-{person}-{face}", "key": key, "person": person, "sha256": "a" * 64}
                    connection.execute(text(_FACE), {**row, "embedding": _EMBEDDING})
    return engine


def everything(engine) -> dict[str, list[dict[str, object]]]:
    with engine.connect() as connection:
        return {
            table: [dict(row) for row in connection.execute(text(f"SELECT * FROM {table} ORDER BY id")).mappings()]  # noqa: S608 - a name from above
            for table in sorted(FIRST_TABLES)
        }


def test_what_was_stored_by_the_first_revision_is_kept_and_counted(filled, schema):
    before = everything(filled)
    schema.upgrade()
    schema.require_current()
    after = everything(filled)
    for table, rows in before.items():
        assert len(rows) == len(after[table]) > 0
        for old, new in zip(rows, after[table], strict=True):
            assert old == {column: new[column] for column in old}
    assert [(row["faces"], row["identities"]) for row in after["collections"]] == [(6, 3), (1, 1), (0, 0)]
    assert {row["quality"] for row in after["faces"]} == {None}


def test_collections_of_the_first_revision_get_no_gates(filled, schema):
    schema.upgrade()
    store = IdentityStore(filled)
    assert {each.settings for each in store.collections()} == {CollectionSettings(True, 0, 0)}  # noqa: FBT003 - a value
    many = store.collection("many")
    assert (many.faces, many.identities, many.revision) == (6, 3, 7)
    person = store.enrolled(many, "p12")
    assert person.qualities.tolist() == [0.5, 0.5, 0.5]
    assert person.vectors.tolist() == [[1, 0, 0, 0]] * 3


def test_after_the_upgrade_the_counters_go_on(filled, schema):
    schema.upgrade()
    store = IdentityStore(filled)
    face = NewFace(
        "new",
        np.eye(4, dtype=np.float32)[0],
        1,
        Quality(0.75),
        Detection((0, 0, 1, 1), 1, np.zeros((5, 2), np.float32)),
        "b" * 64,
    )
    store.enroll(store.collection("many"), Person("p10"), [face])
    assert [(each.faces, each.identities) for each in map(store.collection, ("many", "few", "none"))] == [
        (7, 3),
        (1, 1),
        (0, 0),
    ]
    with pytest.raises(CollectionNotEmpty):
        store.change_settings("few", CollectionSettings(is_flip_averaged=False))
    store.change_settings("none", CollectionSettings(is_flip_averaged=False))


def test_back_at_the_first_revision_everything_is_as_it_was(filled, schema):
    before = everything(filled)
    schema.upgrade()
    migrated(filled, "0001")
    assert schema.current() == "0001"
    assert everything(filled) == before
    with pytest.raises(SchemaOutdated, match="revision 0001"):
        schema.require_current()
    schema.upgrade()
    assert IdentityStore(filled).collection("many").faces == 6


def test_a_collection_still_goes_with_all_that_it_holds(filled, schema):
    schema.upgrade()
    with filled.begin() as connection:
        connection.execute(text("DELETE FROM collections"))
    assert not any(everything(filled).values())


# 0003: change log, shared indexes


def test_collections_of_before_have_an_id_each_and_a_log_that_begins_now(filled, schema):
    schema.upgrade()
    store, log = IdentityStore(filled), ChangeLog(filled)
    collections = store.collections()
    assert len({each.uid for each in collections}) == 3
    assert all(UUID(each.uid) for each in collections)
    assert {each.index_kind for each in collections} == {None}
    for each in collections:
        assert log.since(each, 6) is None  # earlier writes are not in a log
        tail = log.since(each, 7)
        assert tail is not None
        assert (tail.revision, len(tail.added), len(tail.removed)) == (7, 0, 0)


def test_after_the_upgrade_the_log_goes_on(filled, schema):
    schema.upgrade()
    store, log = IdentityStore(filled), ChangeLog(filled)
    many = store.collection("many")
    removed = store.remove_identity(many, "p12")
    assert (len(removed.keys), removed.revision) == (3, 8)
    tail = log.since(many, 7)
    assert tail is not None
    assert sorted(tail.removed.tolist()) == sorted(removed.keys)
    assert (store.collection("many").faces, store.collection("many").identities) == (3, 2)


def test_a_deletion_takes_the_answers_of_before_along(filled, schema):
    """Nobody noted whom they are about."""
    schema.upgrade()
    store = IdentityStore(filled)
    store.remove_identity(store.collection("many"), "p10")
    assert [row["collection_id"] for row in everything(filled)["enrolments"]] == [2, 3]


def test_an_upgrade_from_the_second_revision_and_back(filled, schema):
    migrated(filled, "0002", is_upgrade=True)
    before = everything(filled)
    schema.upgrade()
    store = IdentityStore(filled)
    with SharedIndexes(filled).feeding(store.collection("many"), "engine") as progress:
        progress.revision = 7
    migrated(filled, "0002")
    assert schema.current() == "0002"
    assert everything(filled) == before
    schema.upgrade()
    schema.require_current()


# 0016: words of names and ids, for searches


def test_people_of_before_get_the_words_that_are_searched(engine, schema):
    migrated(engine, "0015", is_upgrade=True)
    ids = ["Angela_Merkel", "Zo\u00eb-\u0141\u00f3d\u017a", "\u738b\u5c0f\u660e", "~"]
    with engine.begin() as connection:
        connection.execute(text(_COLLECTION), {"key": 1, "name": "people"})
        for person, identity_id in enumerate(ids, start=1):
            connection.execute(text(_IDENTITY), {"person": person, "key": 1, "id": identity_id})
        connection.execute(text("UPDATE identities SET name = 'Dr. \u00c5sa Stra\u00dfe' WHERE id = 1"))
    schema.upgrade()
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT identity_id, name, words FROM identities ORDER BY id")).all()
    assert [row.words for row in rows] == [words(row.name, row.identity_id) for row in rows]
    assert rows[0].words == " dr asa strasse angela merkel"


# 0011: ids that are safe in a path, NFC


def test_ids_that_clients_change_are_renamed_and_nobody_is_merged(engine, schema, caplog):
    migrated(engine, "0010", is_upgrade=True)
    composed, decomposed = "Zo\u00eb", "Zoe\u0308"
    ids = ["..", composed, decomposed, "a/../b", "ada", "renamed-..", "Jose\u0301", "a%2fb"]
    with engine.begin() as connection:
        connection.execute(text(_COLLECTION), {"key": 1, "name": ".."})
        for person, identity_id in enumerate(ids, start=1):
            connection.execute(text(_IDENTITY), {"person": person, "key": 1, "id": identity_id})
        connection.execute(text("UPDATE identities SET name = identity_id"))
        connection.execute(text("UPDATE identities SET metadata = :it WHERE id = 5"), {"it": f'{{"{decomposed}": 1}}'})
        face = {"face": "..", "key": 1, "person": 5, "embedding": _EMBEDDING, "sha256": "a" * 64}
        connection.execute(text(_FACE), face)
    schema.upgrade()
    store = IdentityStore(engine)
    collection = store.collection("renamed-..")
    assert collection.revision > 7
    listing = ListingRepository(engine)
    people = listing.identities(collection, after=0, limit=100).items
    assert [each.identity_id for each in people] == [
        "renamed-..-2",
        composed,
        f"renamed-{composed}",
        "renamed-a_.._b",
        "ada",
        "renamed-..",
        "Jos\u00e9",
        "renamed-a_2fb",
    ]
    assert [each.name for each in people][:3] == ["..", composed, composed]
    assert people[4].metadata == {composed: 1}
    (face_id,) = (each.face_id for each in listing.faces(collection, after=0, limit=9).items)
    assert face_id.startswith("renamed-")
    trail = Trail(engine)
    assert not trail.verify(None).breaks
    noted = [(line.entry.action, line.entry.subject, line.entry.detail["to"]) for line in trail.lines()]
    assert noted[:2] == [
        ("collection.renamed", "..", "renamed-.."),
        ("identity.renamed", "..", "renamed-..-2"),
    ]
    assert len(noted) == 6
    assert "'Zoe\\u0308'" in caplog.text
