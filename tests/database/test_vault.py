import pytest
from sqlalchemy import text

from app.access.trail import Trail
from app.database.cipher import Context, Master, new_secret
from app.database.vault import Vault
from app.errors import MasterKeyMissing, MasterKeyWrong, SealBroken
from app.gallery.store.identities import IdentityStore
from tests.gallery.store.enrolling import D, enroll

ONE, OTHER = new_secret(), new_secret()


@pytest.fixture
def vault(engine):
    vault = Vault(engine, Master(ONE))
    vault.open_keys()
    return vault


@pytest.fixture
def sealed(engine, vault):
    store = IdentityStore(engine, vault)
    people = store.create_collection("people", model="net", dimension=D)
    return store, people, enroll(store, people, "ada") + enroll(store, people, "bob")


def test_without_a_master_key_nothing_changes(engine):
    vault = Vault(engine)
    vault.open_keys()
    with engine.begin() as connection:
        assert vault.seal(connection, Context("template", "x"), b"x") == (b"x", None)


def test_a_wrong_or_missing_master_key_is_said_at_the_start(engine, vault):
    with pytest.raises(MasterKeyMissing):
        Vault(engine).open_keys()
    with pytest.raises(MasterKeyWrong):
        Vault(engine, Master(OTHER)).open_keys()
    Vault(engine, Master(ONE)).open_keys()


def test_rows_that_were_swapped_do_not_open(engine, sealed):
    store, people, (ada, bob) = sealed
    assert store.enrolled(people, "ada").vectors[0] == pytest.approx(ada.vector)
    with engine.begin() as connection:
        rows = dict(connection.execute(text("SELECT face_id, embedding FROM faces")).all())
        for face, other in ((ada, bob), (bob, ada)):
            swap = text("UPDATE faces SET embedding = :blob WHERE face_id = :face")
            connection.execute(swap, {"blob": rows[other.face_id], "face": face.face_id})
    with pytest.raises(SealBroken):
        store.enrolled(people, "ada")
    with pytest.raises(MasterKeyMissing):
        IdentityStore(engine).enrolled(people, "ada")


def test_another_master_key_takes_over(engine, vault, sealed):
    store, people, (ada, _) = sealed
    assert vault.rewrap(Master(OTHER)) == 1
    assert store.enrolled(people, "ada").keys.size == 1  # a running service continues
    with pytest.raises(MasterKeyWrong):
        Vault(engine, Master(ONE)).open_keys()
    again = Vault(engine, Master(OTHER))
    again.open_keys()
    assert IdentityStore(engine, again).enrolled(people, "ada").vectors[0] == pytest.approx(ada.vector)
    assert [each.entry.action for each in Trail(engine).lines()][-1] == "master_key.changed"


def test_a_new_data_key_is_known_to_processes_that_run(engine, vault, sealed):
    store, people, _ = sealed
    other = Vault(engine, Master(ONE))
    other.open_keys()
    from sqlalchemy.orm import Session  # noqa: PLC0415 - for this test

    with Session(engine) as session, session.begin():
        key = other.add_key(session)
    (eve,) = enroll(store, people, "eve")
    assert vault.newest() == key
    assert IdentityStore(engine, other).enrolled(people, "eve").vectors[0] == pytest.approx(eve.vector)
