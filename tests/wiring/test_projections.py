"""The index of each collection."""

import pytest

from app.cli.serve import prepare_database
from app.config import read_settings
from app.container import Container
from app.gallery.index.kinds import DEVICE_INDEXES, LOCAL_INDEXES
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Person
from app.types import IndexKind
from app.wiring.projections import Projections, snapshot_folder
from app.wiring.storage import open_database
from tests.recognition.enrolling import D, new_face, units


def projection_of(folder, index, kind):
    """Return a projection of a collection with an index, in a service with another, and the kinds of this service."""
    settings = read_settings(data_dir=folder, index=index)
    prepare_database(settings)
    store = Container(settings).store
    people = store.create_collection("people", model="net", dimension=4, index_kind=kind)
    with open_database(settings) as database:
        projections = Projections(settings, database)
        return projections.new(people), projections.kinds()


@pytest.mark.parametrize("kind", sorted(LOCAL_INDEXES.keys() - DEVICE_INDEXES))
def test_a_collection_can_have_each_index_of_the_process(tmp_path, kind):
    projection, kinds = projection_of(tmp_path, IndexKind.AUTO, kind)
    assert kind.value in kinds
    assert projection.index.count() == 0


@pytest.mark.parametrize("kind", sorted(DEVICE_INDEXES))
def test_an_index_that_needs_a_device_is_the_services(tmp_path, kind):
    settings = read_settings(data_dir=tmp_path)
    prepare_database(settings)
    with open_database(settings) as database:
        assert kind.value not in Projections(settings, database).kinds()
        assert kind.value in Projections(settings.model_copy(update={"index": kind}), database).kinds()


def test_a_start_deletes_the_snapshots_of_collections_that_are_gone(tmp_path):
    settings = read_settings(data_dir=tmp_path, index=IndexKind.EXACT, encryption={"own_key": False})
    prepare_database(settings)
    with open_database(settings) as database:
        store, projections = IdentityStore(database.engine), Projections(settings, database)
        projections.purge_stale()  # nothing yet
        deleted, kept = (store.create_collection(name, model="net", dimension=D) for name in ("people", "others"))
        for collection in (deleted, kept):
            store.enroll(collection, Person("ada"), [new_face(units(1, seed=1)[0])])
            projection = projections.new(collection)
            projection.open()
            projection.save()
        foreign = tmp_path / "index" / "notes"
        foreign.mkdir()
        (foreign / "note.txt").write_text("of somebody else")
        CollectionRepository(database.engine).delete(deleted)
        projections.purge_stale()
        assert not snapshot_folder(settings, deleted).exists()
        assert list(snapshot_folder(settings, kept).glob("*.segment"))
        assert (foreign / "note.txt").exists()
