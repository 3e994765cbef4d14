from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from app.access.trail import Trail
from app.database.camera_table import CameraTable
from app.database.cipher import Master, new_secret
from app.database.event_table import EventTable
from app.database.vault import Vault
from app.errors import CameraExists, CameraUnknown, CollectionUnknown, TooManyCameras
from app.gallery.store.camera_values import CameraKind, CameraState, CameraStatus
from app.gallery.store.cameras import CameraRepository
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.identities import IdentityStore
from app.gallery.store.reencryption import Reencryption
from tests.watch.fakes import SETUP, posted_setup, setup

LATER = datetime.now(UTC) + timedelta(minutes=1)


@pytest.fixture
def cameras(engine, people):
    return CameraRepository(engine, Vault(engine))


@pytest.fixture
def vault(engine):
    vault = Vault(engine, Master(new_secret()))
    vault.open_keys()
    return vault


def test_a_camera_is_kept_as_it_was_created(cameras):
    made = cameras.create(SETUP, most=1)
    assert cameras.get("door") == made
    assert made.setup == SETUP
    assert made.status.state is CameraState.WAITING


@pytest.mark.parametrize(
    ("given", "error"), [(SETUP, CameraExists), (setup(camera_id="gate", collection="nobody"), CollectionUnknown)]
)
def test_what_cannot_be_created(cameras, given, error):
    cameras.create(SETUP, most=10)
    with pytest.raises(error):
        cameras.create(given, most=10)


def test_the_number_of_cameras_is_bounded(cameras):
    cameras.create(SETUP, most=1)
    with pytest.raises(TooManyCameras):
        cameras.create(setup(camera_id="gate"), most=1)
    assert list(cameras.versions()) == ["door"]


def test_a_change_alters_the_named_fields_and_the_version(cameras):
    made = cameras.create(SETUP, most=1)
    changed = cameras.change("door", {"fps": 2.0, "url": None, "kind": CameraKind.POSTED})
    assert changed.setup == posted_setup(fps=2.0)
    assert cameras.get("door") == changed
    assert changed.version > made.version


def test_only_cameras_of_the_named_collections_are_seen(cameras, store):
    store.create_collection("others", model="net", dimension=people_dimension(store))
    cameras.create(SETUP, most=10)
    cameras.create(setup(camera_id="gate", collection="others"), most=10)
    page = cameras.page(after=0, limit=1, collections=["others"])
    assert ([each.setup.camera_id for each in page.items], page.after) == (["gate"], None)
    for act in (cameras.get, cameras.delete, lambda camera_id, only: cameras.change(camera_id, {"fps": 1}, only)):
        with pytest.raises(CameraUnknown):
            act("door", ["others"])


def people_dimension(store):
    return store.collections()[0].dimension


def test_pages(cameras):
    for name in "abc":
        cameras.create(setup(camera_id=name), most=10)
    first = cameras.page(after=0, limit=2)
    second = cameras.page(after=first.after, limit=2)
    assert [each.setup.camera_id for each in [*first.items, *second.items]] == ["a", "b", "c"]
    assert second.after is None


def test_disabled_cameras_are_not_watched(cameras):
    cameras.create(setup(is_enabled=False), most=1)
    assert cameras.versions() == {}


def test_cameras_go_with_their_collection(cameras, people, engine):
    cameras.create(SETUP, most=1)
    CollectionRepository(engine).delete(people)
    with pytest.raises(CameraUnknown):
        cameras.get("door")


def test_the_trail_records_changes_without_urls(cameras, engine):
    cameras.create(SETUP, most=1)
    cameras.change("door", {"fps": 1.0})
    cameras.delete("door")
    entries = [each.entry for each in Trail(engine).lines()][-3:]
    assert [each.action for each in entries] == [
        "watched_camera.created",
        "watched_camera.changed",
        "watched_camera.deleted",
    ]
    assert "secret" not in str(entries)


# Status and events


def events(engine):
    with engine.connect() as connection:
        return [(row.kind, row.key, row.collection, row.data) for row in connection.execute(select(EventTable))]


def test_events_report_that_a_camera_is_lost_and_back(cameras, engine):
    version = cameras.create(SETUP, most=1).version
    for state in (CameraState.CONNECTED, CameraState.LOST, CameraState.LOST, CameraState.CONNECTED):
        cameras.note("door", version, CameraStatus(state, LATER, LATER, 7, 3, 1))
    last = {"camera": "door", "last_frame_at": LATER.isoformat(timespec="milliseconds")}
    assert events(engine) == [
        ("camera.lost", "camera:door", "people", last),
        ("camera.back", "camera:door", "people", last),
    ]
    assert cameras.get("door").status == CameraStatus(CameraState.CONNECTED, LATER, LATER, 7, 3, 1)


def test_a_status_of_earlier_settings_is_ignored(cameras, engine):
    made = cameras.create(SETUP, most=1)
    cameras.change("door", {"fps": 1.0})
    cameras.note("door", made.version, CameraStatus(CameraState.LOST, LATER))
    cameras.note("gate", made.version, CameraStatus(CameraState.LOST, LATER))
    assert cameras.get("door").status.state is CameraState.WAITING
    assert events(engine) == []


# Encryption


def stored_urls(engine):
    with engine.connect() as connection:
        return connection.execute(select(CameraTable.url, CameraTable.data_key_id)).all()


def test_the_url_is_sealed(engine, people, vault):
    cameras = CameraRepository(engine, vault)
    assert cameras.create(SETUP, most=1).setup.url == SETUP.url
    ((url, key),) = stored_urls(engine)
    assert b"secret" not in url
    assert key is not None


def test_a_key_rotation_seals_urls_again(engine, vault):
    IdentityStore(engine, vault).create_collection("people", model="net", dimension=4)
    cameras = CameraRepository(engine, vault)
    cameras.create(SETUP, most=10)
    cameras.create(posted_setup(camera_id="posted"), most=10)
    rotation = Reencryption(engine, vault)
    key = rotation.begin()
    list(rotation.run(key, 100))
    rotation.finish(key)
    assert [each.data_key_id for each in stored_urls(engine)] == [key, None]
    assert cameras.get("door").setup == SETUP


def test_plain_urls_are_sealed_once_encryption_is_on(cameras, engine):
    cameras.create(SETUP, most=1)
    vault = Vault(engine, Master(new_secret()))
    vault.open_keys()
    sealed = CameraRepository(engine, vault)
    assert sealed.get("door").setup == SETUP
    rotation = Reencryption(engine, vault)
    rotation.finish(rotation.begin())
    assert stored_urls(engine)[0].data_key_id is not None
    assert replace(sealed.get("door").setup) == SETUP
