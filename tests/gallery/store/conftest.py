import pytest

from app.gallery.store.values import Collection
from tests.gallery.store.enrolling import D


@pytest.fixture
def people(store) -> Collection:
    created: Collection = store.create_collection("people", model="net", dimension=D)
    return created
