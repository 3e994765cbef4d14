"""After an erasure no byte of a template is left in any file of the data folder."""

import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs

from app.access.trail import Trail
from app.database.cipher import Master, new_secret
from app.database.engine import open_engine, sqlite_url
from app.database.leader_lock import TaskLock
from app.database.scrubbing import Scrubber
from app.database.tables import CropTable, FaceTable, IdentityTable
from app.database.vault import Vault
from app.errors import IdentityUnknown
from app.gallery.erasure import ErasureService
from app.gallery.gallery import Gallery
from app.gallery.index.compressed import CompressedIndex
from app.gallery.index.flat import FlatIndex
from app.gallery.index_projection import LocalProjection
from app.gallery.retention_worker import RetentionWorker
from app.gallery.store.binding import crop_context
from app.gallery.store.change_log import ChangeLog
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.crops import CropSealer
from app.gallery.store.identities import IdentityStore
from app.gallery.store.reencryption import Reencryption
from app.gallery.store.retention import Retention
from app.gallery.store.subjects import SubjectRepository
from app.gallery.store.values import Person, Terms
from app.wall_clock import WallClock
from tests.databases import migrate
from tests.recognition.enrolling import enroll, found, new_face
from tests.recognition.galleries import bytes_under, index_of

D = 64
PEOPLE = 100


def compressed(dimension):
    return CompressedIndex(dimension, block_rows=256)


KINDS = {"exact": FlatIndex, "compressed": compressed}


def vectors_of(number, *, seed=0):
    drawn = np.random.default_rng(seed).normal(size=(number, D)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def pieces(data):
    return {data[at : at + 16] for at in range(len(data) - 15)}


def traces(vector):
    """Every piece of 16 bytes of a template as the database, and as snapshots, hold it."""
    return pieces(vector.astype("<f4").tobytes()) | pieces(vector.astype("<f2").tobytes())


def is_left(vector, folder):
    everything = bytes_under(folder)
    return any(piece in everything for piece in traces(vector))


def gallery_of(engine, vault, folder, new_index=FlatIndex):
    store, log = IdentityStore(engine, vault), ChangeLog(engine)

    sealer = vault if vault.is_on else None

    def projection(collection):
        own = folder / "index" / collection.uid
        return LocalProjection(collection, store, log, new_index=new_index, folder=own, sealer=sealer)

    return Gallery(store, projection, model="net", dimension=D)


@pytest.fixture(params=[False, True], ids=["plain", "encrypted"])
def master(request):
    return Master(new_secret()) if request.param else None


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    migrate(sqlite_url(tmp_path / "data" / "arcid.db"))
    return tmp_path / "data"


@pytest.fixture
def file_engine(folder):
    engine = open_engine(sqlite_url(folder / "arcid.db"))
    yield engine
    engine.dispose()


@pytest.fixture
def vault(file_engine, master):
    vault = Vault(file_engine, master)
    vault.open_keys()
    return vault


@pytest.fixture(params=KINDS)
def world(request, file_engine, vault, folder):
    """A gallery with PEOPLE enrolled and a snapshot written: gallery, collection, vectors."""
    gallery = gallery_of(file_engine, vault, folder, KINDS[request.param])
    people = gallery.create("people")
    vectors = vectors_of(PEOPLE)
    for number, vector in enumerate(vectors):
        gallery.add(people, Person(f"p{number}"), [new_face(vector)], None)
    index = index_of(gallery, "people")
    if isinstance(index, CompressedIndex):
        index.train(vectors)
    gallery.save()
    return gallery, people, vectors


def test_no_byte_of_an_erased_template_is_left(world, file_engine, folder, master):
    gallery, people, vectors = world
    service = ErasureService(gallery, Scrubber(file_engine))
    assert is_left(vectors[5], folder) == (master is None)  # the search finds existing bytes
    codes = code_of(gallery, vectors[5])
    for number in range(0, 50, 5):
        receipt = service.identity("people", f"p{number}")
        assert (receipt.pending, receipt.snapshot_files > 0 or number > 0) == ([], True)
        assert not is_left(vectors[number], folder)
    if codes is not None:
        assert codes not in bytes_under(folder)
    assert found(gallery, people, vectors[5]) != "p5"
    gallery.save()
    assert not any(is_left(vectors[number], folder) for number in range(0, 50, 5))
    assert is_left(vectors[1], folder) == (master is None)


def code_of(gallery, vector):
    """Return the compressed code of a vector, 16 bytes of it, if the index has codes."""
    codec = getattr(index_of(gallery, "people"), "_codec", None)
    return codec.encode(vector[None]).tobytes()[:16] if codec is not None else None


def test_no_byte_is_left_whatever_else_is_written(file_engine, vault, folder):
    """Rows that move between pages leave no copy behind."""
    gallery = gallery_of(file_engine, vault, folder)
    people = gallery.create("people")
    service, rng = ErasureService(gallery, Scrubber(file_engine)), np.random.default_rng(1)
    kept, gone = {}, []
    for number in range(150):
        kept[f"p{number}"] = vectors_of(3, seed=number)
        enroll(gallery, people, f"p{number}", kept[f"p{number}"])
        if number % 2:
            identity_id = str(rng.choice(list(kept)))
            gone.append(kept.pop(identity_id))
            service.identity("people", identity_id)
        if number % 40 == 39:
            gallery.save()
    everything = bytes_under(folder)
    left = pieces(everything) if len(everything) < 10_000_000 else set()
    assert left
    assert not any(traces(vector) & left for vectors in gone for vector in vectors)


def test_a_reader_holds_the_log_and_the_receipt_says_so(world, file_engine, folder):
    gallery, _, vectors = world
    scrubber = Scrubber(file_engine)
    with closing(sqlite3.connect(folder / "arcid.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM faces").fetchone()
        receipt = ErasureService(gallery, scrubber).identity("people", "p7")
        assert [where for where, _ in receipt.pending] == ["write-ahead log"]
        assert scrubber.is_pending
        reader.execute("COMMIT")
    keeper = RetentionWorker(gallery, Retention(file_engine), TaskLock(file_engine), scrubber, every=0.05)
    keeper.start()
    deadline = datetime.now(UTC) + timedelta(seconds=10)
    while scrubber.is_pending:
        assert datetime.now(UTC) < deadline
    keeper.stop()
    assert not is_left(vectors[7], folder)


def test_a_receipt_names_its_line_of_the_trail(world, file_engine):
    gallery, people, _ = world
    receipt = ErasureService(gallery, Scrubber(file_engine)).identity("people", "p3")
    (line,) = [each for each in Trail(file_engine).lines() if each.entry.seq == receipt.noted.seq]
    assert (line.sha256, line.entry.action, line.entry.subject) == (receipt.noted.sha256, "identity.deleted", "p3")
    assert receipt.revision == gallery.collection("people").revision
    assert (receipt.is_identity_gone, len(receipt.face_ids), receipt.answers) == (True, 1, 0)
    assert "backups" in {where for where, _ in receipt.left}
    with pytest.raises(IdentityUnknown):
        gallery.enrolled(people, "p3")


# Images of faces


@pytest.fixture
def shown(file_engine, folder):
    """A gallery of encrypted images: gallery, collection, vault, and the stored bytes of each person's image."""
    vault = Vault(file_engine, Master(new_secret()))
    vault.open_keys()
    gallery = gallery_of(file_engine, vault, folder)
    people, crops = gallery.create("people"), CropSealer(vault)
    rng = np.random.default_rng(2)
    for number, vector in enumerate(vectors_of(20)):
        face, name = new_face(vector), f"p{number}"
        crop, portrait = (rng.integers(0, 256, (side, side, 3)).astype(np.uint8) for side in (112, 224))
        context = crop_context(face.face_id, identity_id=name, collection="people")
        face = replace(face, sealed_crop=crops.seal(crop, context, portrait))
        terms = Terms(expires_at=datetime.now(UTC) + timedelta(seconds=60) if number == 7 else None)
        gallery.add(people, Person(name, terms=terms), [face], None)
    return gallery, people, vault, stored_images(file_engine)


def stored_images(engine):
    query = select(IdentityTable.identity_id, FaceTable.face_id, CropTable.sealed)
    query = query.join(FaceTable, FaceTable.identity_key == IdentityTable.id).join(CropTable)
    with engine.connect() as connection:
        return {name: (face_id, sealed) for name, face_id, sealed in connection.execute(query)}


def erase_face(gallery, _people, engine, _vault, images):
    ErasureService(gallery, Scrubber(engine)).face("people", images["p7"][0])


def erase_person(gallery, _people, engine, _vault, _images):
    ErasureService(gallery, Scrubber(engine)).identity("people", "p7")


def erase_all_people(gallery, people, engine, vault, _images):
    cleared = SubjectRepository(engine, vault).clear(people)
    ErasureService(gallery, Scrubber(engine)).finish_clear(people, cleared.revision)


def erase_collection(gallery, people, engine, _vault, _images):
    gallery.drop(people, CollectionRepository(engine).delete)
    Scrubber(engine).scrub()


def expire(gallery, _people, engine, _vault, _images):
    with engine.begin() as connection:
        connection.execute(text("UPDATE identities SET expires_at = '2020-01-01' WHERE identity_id = 'p7'"))
    assert sweeper(engine, gallery).sweep() == 1


def rotate(_gallery, _people, engine, vault, _images):
    resealing = Reencryption(engine, vault)
    key = resealing.begin()
    assert sum(resealing.run(key, 7)) == 40  # templates and images
    resealing.finish(key)
    Scrubber(engine).scrub()


@pytest.mark.parametrize("erase", [erase_face, erase_person, erase_all_people, erase_collection, expire, rotate])
def test_no_byte_of_an_erased_image_is_left(shown, file_engine, folder, erase):
    gallery, people, vault, images = shown
    _, sealed = images["p7"]
    assert len(sealed) > 40_000
    assert pieces(sealed) & pieces(bytes_under(folder))  # the search finds existing bytes
    erase(gallery, people, file_engine, vault, images)
    assert not pieces(sealed) & pieces(bytes_under(folder))


# Retention, on both databases


def sweeper(engine, gallery):
    return RetentionWorker(gallery, Retention(engine), TaskLock(engine), Scrubber(engine), every=60)


@pytest.fixture
def kept(engine, tmp_path):
    """A gallery on either database."""
    return gallery_of(engine, Vault(engine), tmp_path)


def test_who_has_expired_is_found_no_more_and_then_erased(engine, kept):
    people, vectors, now = kept.create("people"), vectors_of(3), datetime.now(UTC)
    ends = {"gone": now - timedelta(seconds=1), "later": now + timedelta(days=1), "ever": None}
    for (name, end), vector in zip(ends.items(), vectors, strict=True):
        kept.add(people, Person(name, terms=Terms(expires_at=end)), [new_face(vector)], None)
    assert found(kept, people, vectors[0]) != "gone"
    with pytest.raises(IdentityUnknown):
        kept.enrolled(people, "gone")
    assert kept.collection("people").identities == 3
    assert sweeper(engine, kept).sweep() == 1
    assert kept.collection("people").identities == 2
    assert [each.entry.action for each in Trail(engine).lines()][-1] == "identity.expired"
    assert Trail(engine).verify().breaks == []


def test_other_data_is_deleted_with_a_sweep(engine, kept):
    deleted: list[str] = []
    chores = [lambda: deleted.append("frames")]
    keeper = RetentionWorker(kept, Retention(engine), TaskLock(engine), Scrubber(engine), every=60, chores=chores)
    keeper.step()
    keeper.step()  # not due yet
    assert deleted == ["frames"]


def test_other_data_is_deleted_also_if_a_sweep_fails(engine, kept, monkeypatch):
    deleted: list[str] = []
    chores = [lambda: deleted.append("frames")]
    keeper = RetentionWorker(kept, Retention(engine), TaskLock(engine), Scrubber(engine), every=60, chores=chores)

    def fail():
        raise OSError("the index does not answer")

    monkeypatch.setattr(keeper, "sweep", fail)
    with pytest.raises(OSError, match="does not answer"):
        keeper.step()
    assert deleted == ["frames"]


def test_a_collection_keeps_people_for_so_many_days(engine, kept):
    people, vectors = kept.create("people"), vectors_of(2)
    for name, vector in zip(("old", "new"), vectors, strict=True):
        enroll(kept, people, name, vector[None])
    with engine.begin() as connection:
        long_ago = datetime.now(UTC) - timedelta(days=31)
        connection.execute(
            text("UPDATE identities SET enrolled_at = :at WHERE identity_id = 'old'"),
            {"at": long_ago.replace(tzinfo=None) if engine.dialect.name == "sqlite" else long_ago},
        )
    keeper = sweeper(engine, kept)
    assert keeper.sweep() == 0
    CollectionRepository(engine).change("people", {"retention_days": 30})
    assert found(kept, people, vectors[0]) == "new"
    assert keeper.sweep() == 1
    CollectionRepository(engine).change("people", {"retention_days": 1})
    assert keeper.sweep() == 0


def test_one_replica_sweeps(engine, kept):
    people = kept.create("people")
    gone = Terms(expires_at=datetime.now(UTC))
    kept.add(people, Person("gone", terms=gone), [new_face(vectors_of(1)[0])], None)
    other = TaskLock(engine)
    assert other.take("retention", timedelta(minutes=1))
    assert sweeper(engine, kept).sweep() == 0
    assert other.take("retention", timedelta(seconds=-1))
    assert sweeper(engine, kept).sweep() == 1


def test_a_claim_from_before_the_clock_was_set_back_is_over(engine):
    assert TaskLock(engine).take("retention", timedelta(days=1))
    assert not TaskLock(engine).take("retention", timedelta(hours=23))
    assert TaskLock(engine).take("retention", timedelta(minutes=1))


def test_nobody_is_erased_while_the_clock_may_be_wrong(engine, kept, monkeypatch):
    ahead = [0.0]
    clock = WallClock(lambda: time.time() + ahead[0])
    keeper = RetentionWorker(kept, Retention(engine), TaskLock(engine), Scrubber(engine), every=0.02, clock=clock)
    swept = threading.Event()
    monkeypatch.setattr(keeper, "sweep", swept.set)
    with capture_logs() as lines:
        keeper.start()
        assert swept.wait(10)
        ahead[0] = 86_400.0
        while not lines:
            time.sleep(0.01)
        swept.clear()
        assert not swept.wait(0.3)
        keeper.stop()
    assert [(each["event"], each["seconds"]) for each in lines] == [("clock.set", 86_400)]


def test_who_is_enrolled_again_meanwhile_stays(engine, kept):
    people = kept.create("people")
    enroll(kept, people, "ada", vectors_of(1))
    with pytest.raises(IdentityUnknown):
        kept.remove_identity(people, "ada", only_expired=True)
    assert kept.enrolled(people, "ada").keys.size == 1


# Encryption, on both databases


def test_everything_is_encrypted_block_by_block_and_old_keys_go(engine, kept, tmp_path):
    people, vectors = kept.create("people"), vectors_of(25)
    enroll(kept, people, "ada", vectors[:20])
    secret = Vault(engine, Master(new_secret()))
    secret.open_keys()
    resealing = Reencryption(engine, secret)
    assert resealing.left() == 20
    first = resealing.begin()
    assert next(resealing.run(first, 7)) == 7  # then interrupted
    assert resealing.left() == 13
    sealing = gallery_of(engine, secret, tmp_path / "other")
    enroll(sealing, people, "bob", vectors[20:])
    assert resealing.begin() == first  # continues
    assert sum(resealing.run(first, 7)) == 13
    assert resealing.finish(first) == []
    second = resealing.begin()
    assert second > first
    assert sum(resealing.run(second, 7)) == 25
    assert resealing.finish(second) == [first]
    again = gallery_of(engine, secret, tmp_path / "again")
    assert [found(again, people, vector) for vector in vectors[[0, 24]]] == ["ada", "bob"]
    with engine.connect() as connection:
        for row in connection.execute(select(FaceTable.embedding, FaceTable.data_key_id)):
            assert row.data_key_id == second
            assert not any(traces(vector) & pieces(row.embedding) for vector in vectors[:3])
