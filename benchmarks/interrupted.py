"""Check that killed work completes: imports, export, model migration, schema upgrade, backup and restore.

    python benchmarks/interrupted.py --images ../shared/lfw/images --kills 4
    python benchmarks/interrupted.py --images ../shared/lfw/images --kills 4 --database postgresql://...

Each task is started, its process is killed at random times, and at last it may finish. Then each photo must be enrolled
exactly once, with unchanged ids. The exported archive and the audit trail must be complete, index and database must
agree, and no temporary file may be left. An upgrade of an old database with rows must give the same schema as one that
was not interrupted. With PostgreSQL, backup and restore are skipped, because pg_dump does them. Exit status 1 with the
first violation.
"""

import argparse
import base64
import io
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2
from alembic import command
from alembic.config import Config
from crash import Lost, Place, photos_of, serving
from sqlalchemy import inspect, text

from app.config import shipped
from app.database.engine import open_engine, sqlite_url

_OLD = "0008"
_ROWS = 20_000
_PHOTOS = 90
_LINES = 6_000
_END_S = 150.0
_TO = "arcface-mobilefacenet"


def killed_job(
    place: Place, log: Path, kills: int, begin: dict[str, Any], path: str = "/jobs", *, longest: float = 3.0
) -> dict[str, Any]:
    """Start a job, kill its service after at most `longest` seconds, wait for the job's end; return the job."""
    number, rng, job = "", random.Random(0), dict[str, Any]()
    for kill in range(kills + 1):
        with serving(place, log) as (client, process):
            if not number:
                answer = client.post(path, **begin)
                if answer.status_code != 202:
                    raise Lost(f"{path} answered {answer.status_code}: {answer.text}")
                number = answer.json()["job_id"]
            until = time.monotonic() + (_END_S if kill == kills else rng.uniform(0, longest))
            while time.monotonic() < until:
                job = client.get(f"/jobs/{number}").json()
                if job["state"] not in {"queued", "running"}:
                    break
                time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
        if job["state"] not in {"queued", "running"}:
            break
    if job["state"] == "failed" and job["failure"]["code"] == "job_interrupted":  # three deaths without a checkpoint
        print(f"{job['kind']}: {job['failure']['detail']}; requested again", flush=True)
        return killed_job(place, log, 0, begin, path)
    if job["state"] != "succeeded":
        raise Lost(f"the job, after {kill} kills: {job}")
    print(f"{job['kind']}: {kill} kills, {job['attempts']} attempts, {job['result']}", flush=True)
    return job


def faces_of(client: httpx2.Client, collection: str) -> dict[str, list[str]]:
    """Return the face ids of all people in a collection."""
    people = client.get(f"/collections/{collection}/identities", params={"limit": 100}).json()["identities"]
    faces = {}
    for person in people:
        shown = client.get(f"/collections/{collection}/identities/{person['identity_id']}").json()
        faces[person["identity_id"]] = sorted(face["face_id"] for face in shown["first_faces"])
    return faces


def agreed(place: Place) -> None:
    """Compare index and database with the command line, and check the trail."""
    for arguments in (("index", "verify"), ("audit", "verify")):
        if (output := place.run(*arguments)).returncode:
            raise Lost(f"{arguments}: {output.stdout}{output.stderr}")


def jobs(place: Place, folder: Path, images: Path, kills: int) -> None:
    """Interrupt imports of photos, an archive and embeddings, an export, and a migration; check the results."""
    log = folder / "service.log"
    with serving(place, log) as (client, _):
        for name in ("photos", "lines"):
            client.post("/collections", json={"name": name, "keep_crops": True}).raise_for_status()
        model = client.get("/collections/photos").json()["model"]
    before = import_photos(place, log, images, kills)
    copy_archive(place, log, kills, people=len(before))
    import_embeddings(place, log, kills, model)
    killed_job(place, log, kills, {"json": {"model": _TO}}, "/collections/photos/reembed", longest=1.0)
    with serving(place, log) as (client, _):
        if faces_of(client, "photos") != before:
            raise Lost("ids changed")
        copied = faces_of(client, "copy")
        if {person: len(ids) for person, ids in copied.items()} != dict.fromkeys(before, 1):
            raise Lost(f"the copy differs: {copied}")
        lines = client.get("/collections/lines").json()
        if lines["faces"] != _LINES:
            raise Lost(f"{_LINES} embeddings, but: {lines}")
        if client.get("/collections/photos").json()["model"] == model:
            raise Lost("the collection has not switched to the other network")
    agreed(place)
    temporary = [path for path in folder.rglob("*") if path.name.endswith((".arcid-part", ".upload"))]
    temporary += [path for path in folder.rglob("*") if ".part-" in path.name]
    if temporary:
        raise Lost(f"temporary files: {temporary}")


def import_photos(place: Place, log: Path, images: Path, kills: int) -> dict[str, list[str]]:
    """Import photos; return the face ids of each person, which must be one each."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for person, photo in itertools.islice(photos_of(images), _PHOTOS):
            archive.write(photo, f"{person}/photo.jpg")
    files = {"file": ("file.zip", packed.getvalue())}
    form = {"kind": "import", "collection": "photos", "face": "largest"}
    job = killed_job(place, log, kills, {"data": form, "files": files})
    with serving(place, log) as (client, _):
        imported = faces_of(client, "photos")
    counts = Counter(len(faces) for faces in imported.values())
    if set(counts) != {1} or len(imported) + job["errors"] != _PHOTOS:
        raise Lost(f"faces by person: {counts}, of {_PHOTOS} photos, {job['errors']} refused")
    return imported


def copy_archive(place: Place, log: Path, kills: int, *, people: int) -> None:
    """Export the photos and import the archive into another collection."""
    job = killed_job(place, log, min(kills, 2), {"json": {"kind": "export", "collection": "photos"}}, longest=0.05)
    with serving(place, log) as (client, _):
        content = client.get(f"/jobs/{job['job_id']}/archive").content
    form = {"kind": "import_archive", "collection": "copy", "new_face_ids": "true"}
    killed_job(place, log, kills, {"data": form, "files": {"file": ("a.zip", content)}}, longest=0.2)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        faces = archive.read("faces.ndjson").splitlines()
    if len(faces) != people:
        raise Lost(f"the archive has {len(faces)} faces of {people} people")


def import_embeddings(place: Place, log: Path, kills: int, model: str) -> None:
    """Import random embeddings."""
    rng = random.Random(0)
    lines = b"".join(
        json.dumps({"identity_id": f"e{number}", "embedding": [rng.gauss(0, 1) for _ in range(128)]}).encode() + b"\n"
        for number in range(_LINES)
    )
    form = {"kind": "import_embeddings", "collection": "lines", "model": model}
    killed_job(place, log, kills, {"data": form, "files": {"file": ("e.ndjson", lines)}}, longest=0.5)


def old_database(url: str) -> None:
    """Create a database of an old version, with rows."""
    engine, config = open_engine(url), Config()
    config.set_main_option("script_location", str(shipped("migrations")))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, _OLD)
        tables = inspect(connection)
        now = "2026-01-01 00:00:00.000000"
        for table, rows in (("collections", 1), ("identities", _ROWS)):
            columns = [each for each in tables.get_columns(table) if not each["nullable"] or each["name"] == "id"]
            names = [each["name"] for each in columns]
            values = [{each["name"]: _value(each, number, now) for each in columns} for number in range(1, rows + 1)]
            marks = ", ".join(f":{name}" for name in names)
            connection.execute(text(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"), values)  # noqa: S608 - of our own tables
    engine.dispose()


def emptied(url: str) -> None:
    """Remove all tables of a database."""
    engine = open_engine(url)
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    else:
        Path(str(engine.url.database)).unlink(missing_ok=True)
    engine.dispose()


def _value(column: Any, number: int, now: str) -> Any:
    name, kind = column["name"], str(column["type"]).upper()
    if name == "id":
        return number
    if name in {"collection_id", "collection_key"}:
        return 1
    given = {"TIME": now, "DATE": now, "JSON": "{}", "BOOL": False, "CHAR": f"{name[:20]}{number}"}
    return next((value for part, value in given.items() if part in kind), number)


def schema_of(url: str) -> tuple[str, str]:
    """Return the revision of a database and the row counts of its tables, as text."""
    engine = open_engine(url)
    with engine.connect() as connection:
        tables, lines = inspect(connection), []
        for table in sorted(tables.get_table_names()):
            columns = sorted((each["name"], str(each["type"]), each["nullable"]) for each in tables.get_columns(table))
            indexes = sorted((str(each["name"]), each["column_names"]) for each in tables.get_indexes(table))
            keys = sorted(str(each["constrained_columns"]) for each in tables.get_foreign_keys(table))
            count = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar()  # noqa: S608 - of our own tables
            lines.append(f"{table} {columns} {indexes} {keys} {count}")
        revision = str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())
    engine.dispose()
    return revision, "\n".join(lines)


def migration(folder: Path, url: str | None, kills: int) -> None:
    """Kill upgrades of an old database at random times, and compare the result with an undisturbed upgrade."""
    whole, rng = sqlite_url(folder / "whole.db"), random.Random(1)
    mine = url or sqlite_url(folder / "mine.db")
    environment = {**os.environ, "ARCID_DATA_DIR": str(folder)}
    old_database(whole)
    started = time.monotonic()
    Place({**environment, "ARCID_DATABASE_URL": whole}).run("db", "upgrade")
    took = time.monotonic() - started
    place, after = Place({**environment, "ARCID_DATABASE_URL": mine}), Counter[str]()
    for _ in range(kills):
        emptied(mine)
        old_database(mine)
        before = schema_of(mine)
        process = subprocess.Popen(
            place.command("db", "upgrade"), env=place.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(rng.uniform(0.5, 1.0) * took)
        process.kill()
        process.wait()
        now = schema_of(mine)
        if now != before and place.run("db", "status").returncode:
            raise Lost(f"a killed upgrade left a partial schema: {before[0]} -> {now[0]}")
        after[now[0]] += 1
    print(f"{kills} upgrades from {_OLD} killed, afterwards at: {dict(after)}", flush=True)
    if (output := place.run("db", "upgrade")).returncode:
        raise Lost(f"the upgrade cannot be run again: {output.stdout}{output.stderr}")
    if url is None and schema_of(whole) != schema_of(mine):  # PostgreSQL names types differently
        raise Lost(f"another schema: {schema_of(mine)}, not {schema_of(whole)}")
    print(f"upgrade: {schema_of(mine)[0]}", flush=True)


def backup(place: Place, folder: Path, kills: int) -> None:
    """Kill backups and restores; check that the database is the old or the new one, and that no file is left."""
    rng, target = random.Random(2), folder / "backups" / "b.arcid"
    target.parent.mkdir()
    for arguments in (("backup", str(target)), ("restore", str(target), "--yes")):
        for _ in range(kills):
            process = subprocess.Popen(
                place.command(*arguments), env=place.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            time.sleep(rng.uniform(0.5, 3.0))
            process.kill()
            process.wait()
            agreed(place)
        if (output := place.run(*arguments)).returncode:
            raise Lost(f"{arguments}: {output.stdout}{output.stderr}")
        print(f"{arguments[0]}: {kills} kills", flush=True)
    with serving(place, folder / "service.log"):
        pass
    agreed(place)
    left = [path for path in folder.rglob("*") if path.name.endswith((".arcid-part", ".restoring"))]
    if left or list(target.parent.iterdir()) != [target]:
        raise Lost(f"temporary files: {left}, {list(target.parent.iterdir())}")


def main() -> None:
    """Read the options, interrupt all tasks, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="photos of people: person/photo.jpg")
    parser.add_argument("--kills", type=int, default=4, help="of each work")
    parser.add_argument("--database", help="URL of an empty PostgreSQL database; default: SQLite in a temporary folder")
    parser.add_argument("--only", choices=["migration", "jobs"], help="that part alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="arcid-interrupted-") as name:
        folder = Path(name)
        environment = {
            **os.environ,
            "ARCID_DATA_DIR": name,
            "ARCID_PACKS": _TO,
            "ARCID_ENCRYPTION__KEY": base64.b64encode(os.urandom(32)).decode(),
            "ARCID_JOBS__LEASE_SECONDS": "1",
        }
        if options.database:
            environment["ARCID_DATABASE_URL"] = options.database
        place = Place(environment)
        try:
            if options.only != "jobs":
                (folder / "old").mkdir()
                migration(folder / "old", options.database, options.kills)
            if options.only != "migration":
                place.run("db", "upgrade")
                jobs(place, folder, options.images, options.kills)
                if not options.database:
                    backup(place, folder, options.kills)
        except Lost as error:
            log = folder / "service.log"
            sys.exit(f"LOST: {error}\n{log.read_text()[-3000:] if log.exists() else ''}")
    print("all work is complete")


if __name__ == "__main__":
    main()
