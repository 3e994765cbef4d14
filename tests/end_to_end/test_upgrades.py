"""A database of the first revision, with people, is upgraded and served: on SQLite and on PostgreSQL."""

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Engine, inspect, text
from starlette.testclient import TestClient

from app.database.engine import open_engine
from app.database.schema import Schema
from app.errors import SchemaOutdated
from app.main import create_app
from tests.databases import MIGRATIONS

_THEN = "2026-01-01 00:00:00"
_COLLECTION = """
    INSERT INTO collections (id, name, model, dimension, revision, created_at)
    VALUES (1, 'default', :model, :dimension, 7, :then)
"""
_IDENTITY = """
    INSERT INTO identities (id, collection_id, identity_id, name, metadata, created_at, updated_at)
    VALUES (:key, 1, :person, :name, '{"floor": 3}', :then, :then)
"""
_FACE = """
    INSERT INTO faces (face_id, collection_id, identity_key, model, embedding, norm, detection_score, box, landmarks,
                       image_sha256, created_at)
    VALUES (:face_id, 1, :key, :model, :embedding, :norm, :score, :box, :landmarks, :sha256, :then)
"""
_ENROLLMENT = """
    INSERT INTO enrolments (collection_id, idempotency_key, request_sha256, answer, created_at)
    VALUES (1, 'first-visit', :sha256, '{}', :then)
"""
_CHANGES_BY_ITSELF = {"alembic_version": "version_num", "collections": "uid"}
"""A column that differs between any two databases."""
_SINGLE_ROWS = {"alembic_version", "audit_head", "delivery_head", "event_positions"}
"""Tables with a row from their migration on."""


@pytest.fixture(scope="module")
def embedded(client, faces_of):
    """The embeddings of the group photo's people, by the default network: (model, faces)."""
    answers = [client.post("/embed", files={"photo": photo}).json() for photo in faces_of]
    return answers[0]["model"], [answer["faces"][0] for answer in answers]


def revisions() -> list[str]:
    """Return all revisions, oldest first."""
    return [script.revision for script in _scripts().walk_revisions()][::-1]


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(engine: Engine, target: str) -> None:
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, target)


def fill(engine: Engine, model: str, faces: list[dict[str, Any]]) -> None:
    """Write rows to all tables of the first revision: a person with a face for each embedding, and a kept answer."""
    then = datetime.fromisoformat(_THEN).replace(tzinfo=UTC) if engine.dialect.name == "postgresql" else _THEN
    with engine.begin() as connection:
        dimension = len(faces[0]["embedding"])
        connection.execute(text(_COLLECTION), {"model": model, "dimension": dimension, "then": then})
        for key, face in enumerate(faces, start=1):
            person = {"key": key, "person": f"person-{key}", "name": f"Zo\u00eb {key}", "then": then}
            connection.execute(text(_IDENTITY), person)
            row = {
                "face_id": f"face-{key}",
                "key": key,
                "model": model,
                "embedding": np.array(face["embedding"], "<f4").tobytes(),
                "norm": face["norm"],
                "score": 0.9,
                "box": json.dumps(face["box"]),
                "landmarks": json.dumps([[0.0, 0.0]] * 5),
                "sha256": f"{key:064x}",
                "then": then,
            }
            connection.execute(text(_FACE), row)
        connection.execute(text(_ENROLLMENT), {"sha256": "a" * 64, "then": then})
        if engine.dialect.name == "postgresql":  # rows with given keys do not move the sequences
            for table in ("collections", "identities"):
                sequence = f"pg_get_serial_sequence('{table}', 'id')"
                connection.execute(text(f"SELECT setval({sequence}, (SELECT max(id) FROM {table}))"))  # noqa: S608


def everything(engine: Engine) -> dict[str, list[dict[str, object]]]:
    """Return all rows of all tables, without columns that differ between any two databases."""
    rows: dict[str, list[dict[str, object]]] = {}
    with engine.connect() as connection:
        tables = inspect(connection)
        for table in sorted(tables.get_table_names()):
            if table == "sqlite_sequence":
                continue
            json_columns = {each["name"] for each in tables.get_columns(table) if isinstance(each["type"], JSON)}
            found = connection.execute(text(f"SELECT * FROM {table}")).mappings().all()  # noqa: S608 - a table's name
            rows[table] = [
                {
                    column: json.loads(value) if column in json_columns and isinstance(value, str) else value
                    for column, value in row.items()
                    if _CHANGES_BY_ITSELF.get(table) != column
                }
                for row in found
            ]
    return rows


@pytest.fixture(params=["step by step", "in one jump"])
def upgraded(request, databases, embedded):
    """URL of a database of the first revision with six people that was upgraded to the current one."""
    first, *later = revisions()
    with databases.empty_url() as url:
        engine = open_engine(url)
        upgrade(engine, first)
        fill(engine, *embedded)
        if request.param == "in one jump":
            Schema(engine, MIGRATIONS).upgrade()
        for each in later if request.param == "step by step" else ():
            upgrade(engine, each)
            assert len(everything(engine)["faces"]) == 6
        Schema(engine, MIGRATIONS).require_current()
        engine.dispose()
        yield url


def found_by(client, photo) -> str | None:
    (face,) = client.post("/identify", files={"photo": photo}).json()["faces"]
    return face["identity"]["identity_id"] if face.get("identity") else None


def test_the_people_of_the_first_revision_are_found_and_can_be_managed(upgraded, settings, faces_of):
    with TestClient(create_app(settings.model_copy(update={"database_url": upgraded}))) as client:
        assert client.get("/readyz").status_code == 200
        for number, photo in enumerate(faces_of, start=1):
            face = client.post("/identify", files={"photo": photo}).json()["faces"][0]
            best = face["candidates"][0]
            assert (best["identity_id"], best["similarity"] > 0.9) == (f"person-{number}", True)
        people = "/collections/default/identities"
        assert client.get(people, params={"q": "zoe 2"}).json()["identities"][0]["identity_id"] == "person-2"
        shown = client.get(f"{people}/person-1").json()
        assert (shown["name"], shown["metadata"], shown["created_at"][:10]) == ("Zo\u00eb 1", {"floor": 3}, _THEN[:10])
        data = {"identity_id": "person-1", "face": "largest", "on_duplicate": "allow"}
        client.post("/enroll", files={"photos": faces_of[0]}, data=data).raise_for_status()
        assert len(client.get("/collections/default/faces", params={"identity_id": "person-1"}).json()["faces"]) == 2
        client.delete(f"{people}/person-2").raise_for_status()
        left = client.post("/identify", files={"photo": faces_of[1]}, data={"threshold": "-1", "top_k": "9"}).json()
        ids = {each["identity_id"] for each in left["faces"][0]["candidates"]}
        assert ids == {f"person-{number}" for number in (1, 3, 4, 5, 6)}


def test_steps_and_one_jump_lead_to_the_same_rows(databases, embedded):
    found = []
    first, *later = revisions()
    for steps in (later, later[-1:]):
        with databases.empty_url() as url:
            engine = open_engine(url)
            upgrade(engine, first)
            fill(engine, *embedded)
            for each in steps:
                upgrade(engine, each)
            found.append(everything(engine))
            engine.dispose()
    assert found[0] == found[1]
    assert {name: len(rows) for name, rows in found[0].items() if rows} == {
        "collections": 1,
        "enrolments": 1,
        "faces": 6,
        "identities": 6,
    } | {name: len(rows) for name, rows in found[0].items() if name in _SINGLE_ROWS and rows}


def test_older_code_refuses_a_newer_schema_and_says_how_to_return(upgraded, tmp_path):
    """The older code is this one without its last migration."""
    *known, before, last = revisions()
    older = tmp_path / "migrations"
    (older / "versions").mkdir(parents=True)
    for name in ("env.py", "script.py.mako"):
        if (MIGRATIONS / name).exists():
            (older / name).write_bytes((MIGRATIONS / name).read_bytes())
    for script in _scripts().walk_revisions():
        if script.revision in {*known, before}:
            path = MIGRATIONS / "versions" / script.path.rpartition("/")[2]
            (older / "versions" / path.name).write_bytes(path.read_bytes())
    engine = open_engine(upgraded)
    rows = everything(engine)
    schema = Schema(engine, older)
    for use in (schema.require_current, schema.upgrade):
        with pytest.raises(SchemaOutdated) as refused:
            use()
        assert refused.value.code == "schema_outdated"
        for words in (last, before, "start the version that upgraded the database", "restore the backup"):
            assert words in str(refused.value)
    assert schema.require_compatible() == last  # a running process continues: a rolling upgrade
    assert everything(engine) == rows
    engine.dispose()
