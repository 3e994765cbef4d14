"""The index of each collection."""

import pytest

from app.cli.serve import prepare_database
from app.config import read_settings
from app.container import Container
from app.gallery.index.kinds import DEVICE_INDEXES, LOCAL_INDEXES
from app.types import IndexKind
from app.wiring.projections import Projections
from app.wiring.storage import open_database


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
