import pytest

from app.database.cipher import Master, new_secret
from app.database.vault import Vault
from app.gallery.store.identities import IdentityStore
from app.gallery.store.unknown.faces import UnknownFaceStore
from app.gallery.store.values import CollectionSettings
from tests.gallery.store.enrolling import D


@pytest.fixture
def vault(engine):
    vault = Vault(engine, Master(new_secret()))
    vault.open_keys()
    return vault


@pytest.fixture
def unknown(engine, vault):
    return UnknownFaceStore(engine, vault)


@pytest.fixture
def people(engine, vault):
    store = IdentityStore(engine, vault)
    return store.create_collection(
        "people", model="net", dimension=D, settings=CollectionSettings(remember_unknown_days=7)
    )
