"""The restart after a power cut: open the service's own objects on the disk, and compare it with what was promised."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from sqlalchemy.exc import SQLAlchemyError
from starlette.testclient import TestClient

from app.cli.serve import prepare_database
from app.config import PROJECT, Settings, read_settings
from app.container import Container
from app.errors import ArcidError, UploadUnknown
from app.gallery.index.storage.files import MANIFEST
from app.gallery.index.storage.snapshot_manifest import read_manifest
from app.gallery.index_check import differences
from app.jobs.job import JobState
from app.main import create_app
from app.transfer import backup
from app.transfer.zip_files import reading
from app.wiring.resources import DEFAULT_COLLECTION
from tests.powercut.databases import DATA, Embedded, RestartedDatabase
from tests.powercut.expectation import Expectation
from tests.powercut.service import PACK, State, answers_of, state_of

_LONG = {"import_photos", "import_upload", "export_and_import", "migrate", "rotate_keys"}  # many transactions


class Restarts:
    """Restarts of the service, in this process: one application, which gets the objects of each restart."""

    def __init__(self, client: TestClient, database: RestartedDatabase, **settings: Any) -> None:
        self._client = client
        self._database = database
        self._settings = settings

    def violations(self, folder: Path, expected: Expectation, probes: dict[str, list[list[float]]]) -> list[str]:
        """Restart on a disk, and return what it lacks of the promises, or has too much."""
        # Before the start, which replaces these files.
        wrong_files = [*_unreadable_snapshots(folder / DATA / "index"), *_erased_files(folder, expected)]
        try:
            with self._database.running(folder) as more:
                found = self._violations(settings_on(folder, **more, **self._settings), expected, probes)
                return [*wrong_files, *found, *self._database.damages(folder)]
        except (ArcidError, SQLAlchemyError, OSError, sqlite3.Error, AssertionError) as error:
            return [f"the service does not start: {error!r}"]

    def _violations(
        self, settings: Settings, expected: Expectation, probes: dict[str, list[list[float]]]
    ) -> Iterator[str]:
        prepare_database(settings)
        with Container(settings) as container:
            container.database.occupy()
            container.database.schema.upgrade()  # `arcid db upgrade`, which the cut may have stopped
            container.projections.purge_plain()
            container.gallery.ensure(DEFAULT_COLLECTION, container.collection_settings)
            container.gallery.open()
            self._client.app.state.services = container  # type: ignore[attr-defined] # Starlette's type is narrower
            yield from _violations(settings, container, self._client, expected, probes)


@contextmanager
def restarting(empty: Path, database: RestartedDatabase | None = None, **settings: Any) -> Iterator[Restarts]:
    """Build the application; `empty` is a new folder, `settings` are those of every restart on a `database`."""
    first = settings_on(empty, **settings)
    prepare_database(first)
    with TestClient(create_app(first, Container(first))) as client:
        yield Restarts(client, database or Embedded(), **settings)


def settings_on(folder: Path, **more: Any) -> Settings:
    """Return the settings of a service on a disk."""
    return read_settings(
        data_dir=folder / DATA, models_dir=PROJECT / ".data", packs=PACK, server={"hosts": ["testserver"]}, **more
    )


def _unreadable_snapshots(folder: Path) -> Iterator[str]:
    """Yield snapshot files that are not as their manifest states; an erasure may have deleted some."""
    for each in sorted(folder.glob(f"*/{MANIFEST}")):
        try:
            manifest = read_manifest(each.parent)
        except ArcidError as error:
            yield f"unreadable: {error}"
            continue
        for segment in manifest.segments:
            path = each.parent / segment.file
            if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() != segment.sha256:
                yield f"unreadable: the segment {path.name} is torn"


def _erased_files(folder: Path, expected: Expectation) -> Iterator[str]:
    for name in sorted(expected.erased_files):
        if (folder / name).exists():
            yield f"erased and back: the file {name}"


def _violations(
    settings: Settings,
    container: Container,
    client: TestClient,
    expected: Expectation,
    probes: dict[str, list[list[float]]],
) -> Iterator[str]:
    state = state_of(client)
    yield from _wrong_state(client, state, expected, probes)
    yield from _wrong_indexes(container)
    yield from _wrong_database(container)
    yield from _wrong_jobs(container, settings.data_dir, expected)
    yield from _wrong_uploads(container, settings.data_dir / "jobs" / "resumable", expected)
    yield from _wrong_backups(container, expected)


def _wrong_state(
    client: TestClient, state: State, expected: Expectation, probes: dict[str, list[list[float]]]
) -> Iterator[str]:
    allowed = expected.allowed()
    if not allowed or (expected.before is None and not expected.is_done):
        return
    for each in allowed:
        if each.state == state and answers_of(client, probes, state) == each.answers:
            return
    if expected.is_between and not expected.is_done and expected.step in _LONG and len(allowed) == 2:
        yield from _outside(_faces(state), *(_faces(each.state) for each in allowed))
        return
    if state in [each.state for each in allowed]:
        yield f"the answers differ around {expected.step!r}"
        return
    yield from _outside(_faces(state), *(_faces(each.state) for each in allowed))
    yield f"the state around {expected.step!r} is one that nobody saw"


def _outside(faces: set[str], first: set[str], *others: set[str]) -> Iterator[str]:
    for each in sorted(first.intersection(*others) - faces):
        yield f"acknowledged and lost: {each}"
    for each in sorted(faces - first.union(*others)):
        yield f"erased and back: {each}"


def _faces(state: State) -> set[str]:
    return {
        f"{collection}/{person}/{face}"
        for collection, people in state.items()
        for person, faces in people.items()
        for face in faces
    }


def _wrong_indexes(container: Container) -> Iterator[str]:
    for collection in container.store.collections():
        projection = container.gallery._projection(collection)
        if not differences(container.store, collection, projection.index).is_empty():
            yield f"the index of {collection.name} differs from the database"
    container.gallery.save()
    for collection in container.store.collections():
        again = container.projections.new(collection)
        again.open()
        if not differences(container.store, collection, again.index).is_empty():
            yield f"the saved index of {collection.name} differs from the database"
        again.close()


def _wrong_database(container: Container) -> Iterator[str]:
    if breaks := container.trail.verify().breaks:
        yield f"the audit trail is broken: {breaks[0]}"
    for collection in container.store.collections():
        faces = sum(len(each.keys) for each in container.store.templates(collection))
        if faces != collection.faces:
            yield f"{collection.name} has {faces} readable templates of {collection.faces}"


def _wrong_jobs(container: Container, data: Path, expected: Expectation) -> Iterator[str]:
    jobs = container.job_store.some(expected.jobs | expected.exported)
    for job_id in sorted(expected.jobs - jobs.keys()):
        yield f"the job {job_id} was created and is lost"
    for job_id in sorted(expected.ended & jobs.keys()):
        if jobs[job_id].state is not JobState.SUCCEEDED:
            yield f"the job {job_id} had succeeded and is {jobs[job_id].state}"
    unfinished = container.job_store.unfinished()
    for job in container.job_store.some(unfinished).values():
        upload = job.parameters.get("upload")
        if upload and not _is_whole(container.uploads.path(upload)):
            yield f"the {job.kind} {job.job_id} has lost its file, or a part of it"
    for job_id in sorted(expected.exported):
        path = container.uploads.archive(job_id)
        try:
            with reading(path, lambda _: True) as archive:
                if not archive.sizes:
                    yield f"the archive of {job_id} is empty"
        except ArcidError as error:
            yield f"the archive of {job_id} was written and cannot be read: {error}"
    if not container.uploads.place():
        yield "the data folder has lost its id, and its jobs with it"


def _is_whole(path: Path) -> bool:
    try:
        with ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, BadZipFile):
        return False


def _wrong_uploads(container: Container, folder: Path, expected: Expectation) -> Iterator[str]:
    for upload, (offset, sha256) in expected.uploads.items():
        try:
            found = container.resumable_uploads.get(upload, None)
        except UploadUnknown:
            yield f"the upload {upload} is lost"
            continue
        stored = (folder / f"{upload}.part").read_bytes()[:offset]
        if found.offset < offset or hashlib.sha256(stored).hexdigest() != sha256:
            yield f"the upload {upload} has lost some of the {offset} bytes that were acknowledged"
    for upload in expected.deleted_uploads:
        if (folder / f"{upload}.part").exists():
            yield f"erased and back: the upload {upload}"


def _wrong_backups(container: Container, expected: Expectation) -> Iterator[str]:
    stored = {each.name for each in container.backups.all()}
    for name, size in expected.backups.items():
        path = container.backups.folder / name
        if name not in stored or path.stat().st_size != size:
            yield f"the backup {name} is lost"
            continue
        try:
            with reading(path, backup.is_member) as archive:
                archive.verify(backup.read_manifest(archive).members)
        except ArcidError as error:
            yield f"the backup {name} cannot be read: {error}"
    for name in sorted(stored & expected.deleted_backups):
        yield f"erased and back: the backup {name}"
