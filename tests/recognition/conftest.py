from collections.abc import Iterator

import pytest

from app.identities.store import IdentityStore
from app.index.flat import FlatIndex
from app.recognition.analysis import Analysis
from app.recognition.gallery import Gallery
from tests.recognition.fakes import DIMENSION, MODEL, colour_analysis


@pytest.fixture(scope="session")
def analysis() -> Analysis:
    return colour_analysis()


@pytest.fixture
def store(databases) -> Iterator[IdentityStore]:
    with databases.engine() as engine:
        yield IdentityStore(engine)


@pytest.fixture
def gallery(store) -> Gallery:
    """A gallery with an empty collection `people`, and one of another network, `foreign`."""
    gallery = Gallery(store, FlatIndex, model=MODEL, dimension=DIMENSION)
    gallery.ensure("people")
    store.create_collection("foreign", model="another", dimension=DIMENSION)
    return gallery
