"""Export and import: there and back, on one database and from one to the other."""

import hashlib
import io
import json
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import func, select

from app.access.trail import Trail
from app.database.tables import ChangeTable
from app.errors import CollectionUnknown, FaceExists, FileUnusable, ModelMismatch
from app.gallery.index.flat import FlatIndex
from app.gallery.store import bulk
from app.gallery.store.change_log import ChangeLog
from app.gallery.store.identities import IdentityStore
from app.gallery.store.snapshot import CollectionExporter
from app.gallery.store.values import CollectionSettings, Person
from app.transfer import archive_export as exporting
from app.transfer import archive_reader
from app.types import CollectionKey
from tests.databases import postgresql_databases, server_url, sqlite_databases
from tests.gallery.store.enrolling import new_face
from tests.recognition.galleries import compared, gallery_on, index_of
from tests.transfer.fakes import MODEL, D, Recorded, Stopped, exporter, fill, importer, units

MEMBERS = ["identities.ndjson", "faces.ndjson", "vectors.npy"]


def members(path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def content(path) -> tuple[dict[str, bytes], dict[str, object]]:
    """Return an archive's members, and its manifest without times and the collection's ids."""
    found = members(path)
    manifest = json.loads(found.pop("manifest.json"))
    del manifest["created_at"]
    for name in ("uid", "revision", "created_at"):
        del manifest["collection"][name]
    return found, manifest


def test_what_an_archive_holds(engine, tmp_path):
    collection = fill(engine)
    path = tmp_path / "people.zip"
    manifest = exporter(engine).write("people", path, Recorded())
    found = members(path)
    assert list(found) == [*MEMBERS, "manifest.json"]
    said = json.loads(found["manifest.json"])
    assert said["network"] == {"model": MODEL, "dimension": D, "sha256": "ab" * 32}
    assert (said["identities"], said["faces"], said["collection"]["revision"]) == (20, 60, collection.revision)
    assert manifest.faces == 60
    for name in MEMBERS:
        assert said["members"][name] == {"size": len(found[name]), "sha256": hashlib.sha256(found[name]).hexdigest()}
    vectors = np.load(io.BytesIO(found["vectors.npy"]), allow_pickle=False)
    assert (vectors.shape, vectors.dtype) == ((60, D), np.dtype("<f4"))
    assert np.array_equal(vectors, units(60))
    lines = [json.loads(line) for line in found["faces.ndjson"].splitlines()]
    assert [line["row"] for line in lines] == list(range(60))
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["people.zip"]


def test_there_and_back(databases, tmp_path):
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    with databases.engine() as source, databases.engine() as target:
        fill(source)
        IdentityStore(source).change_settings("people", CollectionSettings(enroll_quality=0.125, probe_quality=0.5))
        exporter(source).write("people", first, Recorded())
        progress = Recorded()
        done = importer(target).run(first, progress)
        assert (done.faces, done.identities, done.skipped) == (60, 20, 0)
        assert progress.said[-1] == (60, 60)
        exporter(target).write("people", second, Recorded())
        found = IdentityStore(target).collection("people")
        assert (found.faces, found.identities, found.settings.probe_quality) == (60, 20, 0.5)
    assert content(first) == content(second)


def test_from_sqlite_to_postgresql_and_back(tmp_path):
    archives = [tmp_path / f"{number}.zip" for number in range(3)]
    own = sqlite_databases(tmp_path)
    with postgresql_databases(server_url()) as other, own.engine() as one, other.engine() as two, own.engine() as three:
        fill(one)
        exporter(one).write("people", archives[0], Recorded())
        importer(two).run(archives[0], Recorded())
        exporter(two).write("people", archives[1], Recorded())
        importer(three).run(archives[1], Recorded())
        exporter(three).write("people", archives[2], Recorded())
    assert content(archives[0]) == content(archives[1]) == content(archives[2])


def test_an_empty_collection(engine, tmp_path):
    IdentityStore(engine).create_collection("nobody", model=MODEL, dimension=D)
    exporter(engine).write("nobody", tmp_path / "a.zip", Recorded())
    assert importer(engine).run(tmp_path / "a.zip", Recorded(), collection="other").faces == 0
    assert IdentityStore(engine).collection("other").faces == 0


def test_only_what_is_wanted_is_exported(engine, tmp_path):
    fill(engine, "others", seed=1)
    fill(engine)
    exporter(engine).write("people", tmp_path / "a.zip", Recorded())
    assert b"-1" not in members(tmp_path / "a.zip")["identities.ndjson"]
    with pytest.raises(CollectionUnknown):
        exporter(engine).write("nobody", tmp_path / "b.zip", Recorded())
    with pytest.raises(FileUnusable):
        exporter(engine).write("people", tmp_path / "nowhere" / "b.zip", Recorded())


def test_an_export_that_is_stopped_leaves_nothing(engine, tmp_path):
    fill(engine)
    with pytest.raises(Stopped):
        exporter(engine).write("people", tmp_path / "a.zip", Recorded(stop_after=0))
    assert not list(tmp_path.iterdir())


def test_both_are_in_the_trail(engine, tmp_path):
    fill(engine)
    exporter(engine).write("people", tmp_path / "a.zip", Recorded())
    importer(engine).run(tmp_path / "a.zip", Recorded(), collection="copy", has_new_face_ids=True)
    lines = [line.entry for line in Trail(engine).lines()]
    assert [line.action for line in lines[-3:]] == ["collection.exported", "collection.created", "collection.imported"]
    assert (lines[-1].collection, lines[-1].detail["faces"]) == ("copy", 60)
    assert not Trail(engine).verify().breaks


def test_writers_go_on_while_a_moment_is_exported(engine, tmp_path):
    collection = fill(engine)
    store = IdentityStore(engine)

    class Busy(Recorded):
        def advance(self, done, *, total=None, checkpoint=None):
            store.enroll(collection, Person(f"late-{len(self.said)}"), [new_face(units(1)[0])])
            store.remove_identity(collection, f"p{len(self.said)}-0")
            super().advance(done, total=total, checkpoint=checkpoint)

    busy = Busy()
    manifest = exporter(engine).write("people", tmp_path / "a.zip", busy)
    assert len(busy.said) >= 2
    assert (manifest.faces, manifest.collection.revision) == (60, collection.revision)
    found = members(tmp_path / "a.zip")
    assert len(found["faces.ndjson"].splitlines()) == 60
    assert b"late" not in found["identities.ndjson"]
    assert np.array_equal(np.load(io.BytesIO(found["vectors.npy"])), units(60))


def test_export_holds_blocks_not_the_collection(engine, tmp_path, monkeypatch):
    """The archive of twice as many faces costs no more memory."""
    monkeypatch.setattr("app.gallery.store.snapshot._READ_AT_ONCE", 200)
    monkeypatch.setattr(archive_reader, "_FACES_AT_ONCE", 100)
    peaks = {}
    for number, people in enumerate((500, 2000)):
        fill(engine, f"c{people}", people=people, faces=1, seed=number + 1)
        tracemalloc.start()
        exporter(engine).write(f"c{people}", tmp_path / "a.zip", Recorded())
        exported = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        importer(engine).run(tmp_path / "a.zip", Recorded(), collection=f"d{people}", has_new_face_ids=True)
        peaks[people] = exported, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    for small, large in zip(peaks[500], peaks[2000], strict=True):
        assert large < 1.3 * small + 1500 * 64


# Import


@pytest.fixture
def archive(engine, tmp_path):
    """An archive of a collection that is no more."""
    fill(engine)
    exporter(engine).write("people", tmp_path / "a.zip", Recorded())
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM collections")
    return tmp_path / "a.zip"


def test_a_repeated_import_brings_nothing(engine, archive):
    importer(engine).run(archive, Recorded())
    before = IdentityStore(engine).collection("people")
    done = importer(engine).run(archive, Recorded())
    assert (done.faces, done.identities, done.skipped) == (0, 0, 60)
    assert IdentityStore(engine).collection("people") == before


def test_what_is_missing_comes_back(engine, archive):
    store = IdentityStore(engine)
    importer(engine).run(archive, Recorded())
    collection = store.collection("people")
    store.remove_identity(collection, "p3-0")
    store.remove_face(collection, "f0-4-1")
    store.enroll(collection, Person("p5-0", "Other"), [])
    done = importer(engine).run(archive, Recorded())
    assert (done.faces, done.identities, done.skipped) == (4, 1, 56)
    after = store.collection("people")
    assert (after.faces, after.identities) == (60, 20)
    assert store.enrolled(after, "p5-0").name == "Other"


def test_an_import_goes_on_where_it_was_stopped(engine, archive, monkeypatch):
    monkeypatch.setattr(archive_reader, "_FACES_AT_ONCE", 7)
    progress = Recorded(stop_after=3)
    with pytest.raises(Stopped):
        importer(engine).run(archive, progress)
    there = IdentityStore(engine).collection("people").faces
    assert 0 < there < 60
    assert progress.checkpoint["counts"]["faces"] == there
    asked: list[int] = []
    real = bulk.BulkWriter.add

    def add(self, collection, block, **more):
        asked.append(len(block.faces))
        return real(self, collection, block, **more)

    monkeypatch.setattr(bulk.BulkWriter, "add", add)
    done = importer(engine).run(archive, Recorded(progress.checkpoint))
    assert sum(asked) == 60 - there
    assert (done.faces, done.identities, done.skipped) == (60, 20, 0)
    assert IdentityStore(engine).collection("people").faces == 60


def test_every_block_is_a_write_like_others(engine, archive, monkeypatch):
    monkeypatch.setattr(archive_reader, "_FACES_AT_ONCE", 7)
    importer(engine).run(archive, Recorded())
    collection = IdentityStore(engine).collection("people")
    tail = ChangeLog(engine).since(collection, 0)
    assert tail is not None
    assert (len(tail.added), tail.revision) == (60, collection.revision)
    with engine.connect() as connection:
        most = select(func.count()).where(ChangeTable.collection_id == collection.key).group_by(ChangeTable.revision)
        assert max(connection.scalars(most)) == 7


def test_the_index_catches_up(engine, archive):
    gallery = gallery_on(engine, FlatIndex, model=MODEL, dimension=D)
    gallery.ensure("people")
    gallery.open()
    importer(engine, gallery.catch_up).run(archive, Recorded())
    assert index_of(gallery, "people").count() == 60
    assert compared(engine, gallery, "people").is_empty()
    _, keys = index_of(gallery, "people").search(units(60)[30:31], 1)
    (owner,) = IdentityStore(engine).owners(keys.ravel().tolist()).values()
    assert (owner.identity_id, owner.face_id) == ("p10-0", "f0-10-0")


def test_a_copy_in_one_database_needs_new_ids(engine, tmp_path):
    fill(engine)
    path = tmp_path / "a.zip"
    exporter(engine).write("people", path, Recorded())
    with pytest.raises(FaceExists):
        importer(engine).run(path, Recorded(), collection="copy")
    assert [each.name for each in IdentityStore(engine).collections()] == ["people"]
    for expected in (60, 0):
        done = importer(engine).run(path, Recorded(), collection="copy", has_new_face_ids=True)
        assert done.faces == expected


def test_an_identity_with_faces_in_several_blocks(engine, tmp_path, monkeypatch):
    fill(engine, people=2, faces=9)
    exporter(engine).write("people", tmp_path / "a.zip", Recorded())
    monkeypatch.setattr(archive_reader, "_FACES_AT_ONCE", 4)
    done = importer(engine).run(tmp_path / "a.zip", Recorded(), collection="copy", has_new_face_ids=True)
    assert (done.faces, done.identities) == (18, 2)


def test_people_without_faces_travel_as_well(engine, tmp_path):
    collection = fill(engine, people=1)
    IdentityStore(engine).enroll(collection, Person("shy", "Shy"), [])
    exporter(engine).write("people", tmp_path / "a.zip", Recorded())
    done = importer(engine).run(tmp_path / "a.zip", Recorded(), collection="copy", has_new_face_ids=True)
    assert (done.faces, done.identities) == (3, 2)


@pytest.mark.parametrize(("model", "dimension", "flip"), [("other", D, True), (MODEL, 4, True), (MODEL, D, False)])
def test_a_collection_of_another_network(engine, archive, model, dimension, flip):
    store = IdentityStore(engine)
    store.create_collection(
        "people", model=model, dimension=dimension, settings=CollectionSettings(is_flip_averaged=flip)
    )
    with pytest.raises(ModelMismatch):
        importer(engine).run(archive, Recorded())
    assert store.collection("people").revision == 0


def test_another_network_file_of_the_same_name(engine, archive):
    foreign = importer(engine)
    foreign._networks_of = lambda _model: frozenset(["cd" * 32])
    with pytest.raises(ModelMismatch):
        foreign.run(archive, Recorded())
    assert not IdentityStore(engine).collections()


def test_two_imports_at_once_bring_everything_once(engine, archive, monkeypatch):
    monkeypatch.setattr(archive_reader, "_FACES_AT_ONCE", 7)
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda _: importer(engine).run(archive, Recorded()), range(2)))
    assert sum(each.faces for each in done) == 60
    found = IdentityStore(engine).collection("people")
    assert (found.faces, found.identities) == (60, 20)


def test_an_archive_names_its_snapshot_even_if_the_network_is_unknown(engine, tmp_path):
    fill(engine)
    manifest = exporting.Export(CollectionExporter(engine), lambda _: None).write(
        "people", tmp_path / "a.zip", Recorded()
    )
    assert manifest.network.sha256 is None
    found = IdentityStore(engine).collection("people")
    assert replace(found, key=CollectionKey(0)).uid == manifest.collection.uid
