"""Rows that somebody edits in the database, without the master key, open for nobody."""

from datetime import UTC, datetime
from itertools import count

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.database import vault as vaults
from app.database.cipher import VERSION, Context, Master, is_bound, new_secret
from app.database.tables import DataKeyTable
from app.database.vault import Vault
from app.errors import MasterKeyMissing, SealBroken
from app.gallery.store.binding import crop_context
from app.gallery.store.bulk import BulkWriter, FaceBlock
from app.gallery.store.crops import CropSealer
from app.gallery.store.editing import EditingRepository
from app.gallery.store.identities import IdentityStore
from app.gallery.store.model_migration import MigrationRepository, NextTemplates
from app.gallery.store.reencryption import Reencryption
from app.gallery.store.review_pages import ReviewPages
from app.gallery.store.review_values import NewCandidate, NewReview, ReviewOrigin
from app.gallery.store.reviews import ReviewStore
from app.gallery.store.snapshot import CollectionExporter
from app.gallery.store.subjects import SubjectRepository
from app.gallery.store.values import NewFace, Person
from app.vision.quality import Quality
from tests.gallery.store.enrolling import D, new_face

_numbers = count()


@pytest.fixture
def master():
    return Master(new_secret())


@pytest.fixture
def vault(engine, master):
    vault = Vault(engine, master)
    vault.open_keys()
    return vault


@pytest.fixture
def sealed(engine, vault):
    """A store with a collection of ada and bob (two faces and crops each), and one of eve."""
    store = IdentityStore(engine, vault)
    people = store.create_collection("people", model="net", dimension=D)
    others = store.create_collection("others", model="net", dimension=D)
    for name, of in (("ada", people), ("bob", people), ("eve", others)):
        store.enroll(of, Person(name), [with_crop(vault, name, of.name) for _ in range(2)])
    return store, people


def with_crop(vault, identity_id, collection) -> NewFace:
    face, pixels = new_face(), np.full((112, 112, 3), next(_numbers) % 256, np.uint8)
    context = crop_context(face.face_id, identity_id=identity_id, collection=collection)
    crop = CropSealer(vault).seal(pixels, context)
    return NewFace(face.face_id, face.vector, 1.0, Quality(0.5), face.detection, face.image_sha256, sealed_crop=crop)


def edit(engine, *statements, **values):
    with engine.begin() as connection:
        for each in statements:
            connection.execute(text(each), values)


def vectors_of(store, collection, identity_id):
    return {vector.tobytes() for vector in store.enrolled(collection, identity_id).vectors}


EDITS = {
    "owners swapped": [
        """UPDATE faces SET identity_key = CASE (SELECT identity_id FROM identities WHERE id = faces.identity_key)
        WHEN 'ada' THEN (SELECT id FROM identities WHERE identity_id = 'bob')
        ELSE (SELECT id FROM identities WHERE identity_id = 'ada') END
        WHERE identity_key IN (SELECT id FROM identities WHERE identity_id IN ('ada', 'bob'))"""
    ],
    "people renamed": [
        "UPDATE identities SET identity_id = 'x' WHERE identity_id = 'ada'",
        "UPDATE identities SET identity_id = 'ada' WHERE identity_id = 'bob'",
        "UPDATE identities SET identity_id = 'bob' WHERE identity_id = 'x'",
    ],
    "face of another collection": [
        "DELETE FROM faces WHERE identity_key = (SELECT id FROM identities WHERE identity_id = 'ada')",
        """UPDATE faces SET identity_key = (SELECT id FROM identities WHERE identity_id = 'ada'),
        collection_id = (SELECT id FROM collections WHERE name = 'people')
        WHERE identity_key = (SELECT id FROM identities WHERE identity_id = 'eve')""",
    ],
    "collections renamed": [
        "UPDATE collections SET name = 'x' WHERE name = 'people'",
        "UPDATE collections SET name = 'people' WHERE name = 'others'",
        "UPDATE identities SET identity_id = 'ada' WHERE identity_id = 'eve'",
    ],
    "model changed": ["UPDATE collections SET model = 'other'", "UPDATE faces SET model = 'other'"],
}


@pytest.mark.parametrize("statements", EDITS.values(), ids=EDITS)
def test_an_edited_row_opens_for_nobody(engine, sealed, vault, statements):
    store, people = sealed
    ids = store.enrolled(people, "ada").keys.tolist() + store.enrolled(people, "bob").keys.tolist()
    edit(engine, *statements)
    now = store.collection("people")
    with pytest.raises(SealBroken):
        store.enrolled(now, "ada")
    assert not [each for each in store.owners_with_faces(ids) if each.identity_id == "ada"]
    shown = [key for keys, _, _ in store.templates(now) for key in keys.tolist()]
    assert len(shown) <= 2  # bob's own, where only ada's rows were edited
    flaws = [each for each in Reencryption(engine, vault).flaws() if each.is_refused]
    assert {each.table for each in flaws} >= {"faces", "crops"} or statements == EDITS["model changed"]
    assert Reencryption(engine, vault).standing()[1] > 0


def test_a_row_in_plain_is_refused_among_good_ones(engine, sealed, vault):
    store, people = sealed
    keys = store.enrolled(people, "ada").keys.tolist()
    forged = np.ones(D, np.float32) / np.sqrt(D)
    edit(
        engine,
        "UPDATE faces SET embedding = :blob, data_key_id = NULL WHERE id = :key",
        blob=forged.astype("<f4").tobytes(),
        key=keys[0],
    )
    assert store.enrolled(people, "ada").keys.tolist() == keys[1:]
    assert [each.keys.tolist() for each in store.owners_with_faces(keys)] == [keys[1:]]
    assert store.read_owners(keys).state is None  # nobody keeps them, so that each search logs the refusal
    resealing = Reencryption(engine, vault)
    assert resealing.standing() == (1, 0)
    # No other way launders it: neither a rotation, nor giving it to somebody else.
    key = resealing.begin()
    assert sum(resealing.run(key, 2)) == 11
    assert [(each.table, each.is_refused) for each in resealing.refused] == [("faces", True)]
    resealing.finish(key)
    with pytest.raises(SealBroken):
        EditingRepository(engine, vault).merge(people, "ada", "bob")
    with pytest.raises(SealBroken):
        SubjectRepository(engine, vault).rename(people, "ada", "eva")
    assert store.enrolled(people, "ada").keys.tolist() == keys[1:]
    with pytest.raises(SealBroken), CollectionExporter(engine, vault).snapshot("people") as snapshot:
        list(snapshot.vectors())


def test_every_change_of_owner_seals_again(engine, sealed, vault):
    store, people = sealed
    vectors = vectors_of(store, people, "ada") | vectors_of(store, people, "bob")
    keys = store.enrolled(people, "ada").keys.tolist() + store.enrolled(people, "bob").keys.tolist()
    work = MigrationRepository(engine, CropSealer(vault), vault)
    coming = np.eye(D, dtype=np.float32)[: len(keys)]
    made = NextTemplates(np.array(keys, np.int64), coming, np.ones(4, np.float32), np.ones(4, np.float32))
    work.put(people, "next", made)
    SubjectRepository(engine, vault).rename(people, "ada", "eva")
    editing = EditingRepository(engine, vault)
    face = store.enrolled(people, "eva").face_ids[0]
    editing.move_faces(people, [face], Person("dora"))
    editing.merge(people, "bob", "eva")
    assert vectors_of(store, people, "eva") | vectors_of(store, people, "dora") == vectors
    assert sum(len(block.keys) for block in work.blocks(people, "third")) == 4  # crops
    switched = work.switch(people, model="next", dimension=D).collection
    assert vectors_of(store, switched, "eva") | vectors_of(store, switched, "dora") == {v.tobytes() for v in coming}
    work.switch(switched, model="net", dimension=D)  # and back: the previous copies can be decrypted as well
    assert list(Reencryption(engine, vault).flaws()) == []


def test_what_is_imported_is_bound(engine, sealed, vault):
    store, people = sealed
    with CollectionExporter(engine, vault).snapshot("people") as snapshot:
        block = FaceBlock(list(snapshot.people()), list(snapshot.faces()), np.concatenate(list(snapshot.vectors())))
    before = vectors_of(store, people, "ada")
    store.remove_identity(people, "ada")
    BulkWriter(engine, vault).add(people, block, origin={})
    assert vectors_of(store, people, "ada") == before
    assert list(Reencryption(engine, vault).flaws()) == []


def test_images_of_reviews_are_sealed_again(engine, sealed, vault):
    _, people = sealed
    now = datetime.now(UTC)
    candidates = [NewCandidate("ada", 0.5)]
    new = NewReview(ReviewOrigin.IDENTIFY, "same", candidates, now, now, 1, "possible", image=b"jpeg")
    ReviewStore(engine, vault).open(people, "r1", new)
    resealing = Reencryption(engine, vault)
    old = resealing.begin()
    list(resealing.run(old, 2))
    key = resealing.begin()
    assert key > old or resealing.left(key) == 0
    list(resealing.run(key, 2))
    assert resealing.left(key) == 0
    assert ReviewPages(engine, vault).image(people, "r1") == b"jpeg"
    edit(engine, "UPDATE reviews SET review_id = 'r2'")
    with pytest.raises(SealBroken):
        ReviewPages(engine, vault).image(people, "r2")
    assert [(each.table, each.is_refused) for each in resealing.flaws()] == [("review_images", True)]


@pytest.fixture
def old(engine, master, monkeypatch):
    """A database whose rows were sealed before owners were bound, and one in plain."""
    store = IdentityStore(engine)
    people = store.create_collection("people", model="net", dimension=D)
    store.enroll(people, Person("plain"), [new_face()])
    vault = Vault(engine, master)
    vault.open_keys()
    assert not vault.is_closed
    store = IdentityStore(engine, vault)
    with monkeypatch.context() as before:
        unbound = Vault.seal
        before.setattr(Vault, "seal", lambda self, tx, context, data: unbound(self, tx, _as_before(context), data))
        store.enroll(people, Person("ada"), [new_face() for _ in range(3)])
    return store, people, vault


def _as_before(context):
    return Context(context.kind, context.of)


def test_old_rows_open_until_they_are_bound(engine, old, master):
    store, people, vault = old
    before = vectors_of(store, people, "ada") | vectors_of(store, people, "plain")
    resealing = Reencryption(engine, vault)
    assert [each.is_refused for each in resealing.flaws()] == [False] * 4
    key = resealing.begin()
    assert next(resealing.run(key, 2)) == 2  # then interrupted
    assert vectors_of(store, people, "ada") | vectors_of(store, people, "plain") == before
    again = Reencryption(engine, vault)
    assert again.begin() == key
    assert sum(again.run(key, 2)) == 2
    other = Vault(engine, master)  # of another process, which runs on
    other.open_keys()
    again.finish(key)
    assert vault.is_closed
    assert vectors_of(store, people, "ada") | vectors_of(store, people, "plain") == before
    assert list(again.flaws()) == []
    with engine.connect() as connection:
        blobs = connection.scalars(text("SELECT embedding FROM faces")).all()
    assert all(is_bound(bytes(blob)) and blob[0] != VERSION for blob in blobs)
    edit(engine, "UPDATE faces SET data_key_id = NULL, embedding = :blob", blob=np.ones(D, "<f4").tobytes())
    other._loaded_at -= vaults._RELOAD_S
    with pytest.raises(SealBroken):
        IdentityStore(engine, other).enrolled(people, "ada")


def test_nothing_in_the_database_opens_it_again(engine, sealed, vault, master):
    _, people = sealed
    assert vault.is_closed
    plain = np.ones(D, "<f4").tobytes()
    with pytest.raises(MasterKeyMissing):  # a replica without the key, still running
        IdentityStore(engine).enroll(people, Person("mallory"), [new_face()])
    edit(engine, "DELETE FROM crops", "UPDATE faces SET data_key_id = NULL, embedding = :blob", blob=plain)
    edit(engine, "DELETE FROM data_keys")
    with pytest.raises(SealBroken):  # a running service still refuses
        IdentityStore(engine, vault).enrolled(people, "ada")
    with pytest.raises(SealBroken, match="audit trail"):
        Vault(engine, master).open_keys()
    with Session(engine) as session, session.begin():
        # Even with the trail gone as well: what the settings require is beyond the database.
        strict = Vault(engine, master, is_closed=True)
        row = DataKeyTable(id=77, wrapped=master.wrap(77, new_secret()), master=master.fingerprint)
        row.created_at = datetime.now(UTC)
        session.add(row)
    strict.open_keys()
    with pytest.raises(SealBroken):
        IdentityStore(engine, strict).enrolled(people, "ada")


def test_another_master_key_keeps_it_closed(engine, sealed, vault):
    other = Master(new_secret())
    vault.rewrap(other)
    again = Vault(engine, other)
    again.open_keys()
    assert again.is_closed
