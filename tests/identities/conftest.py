import pytest

from app.identities.values import Collection
from tests.identities.enrolling import D


@pytest.fixture
def people(store) -> Collection:
    created: Collection = store.create_collection("people", model="net", dimension=D)
    return created
