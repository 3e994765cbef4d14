from collections.abc import Iterator

import pytest

from app.database.engine import open_engine, sqlite_url
from app.database.tables import Base
from app.identities.store import IdentityStore
from app.index.flat import FlatIndex
from app.recognition.analysis import Analysis
from app.recognition.gallery import Gallery
from tests.recognition.fakes import DIMENSION, MODEL, colour_analysis


@pytest.fixture(scope="session")
def analysis() -> Analysis:
    return colour_analysis()


@pytest.fixture
def store(tmp_path) -> Iterator[IdentityStore]:
    engine = open_engine(sqlite_url(tmp_path / "arcid.db"))
    Base.metadata.create_all(engine)
    yield IdentityStore(engine)
    engine.dispose()


@pytest.fixture
def gallery(store) -> Gallery:
    """A gallery with an empty collection `people`, and one of another network, `foreign`."""
    gallery = Gallery(store, FlatIndex, model=MODEL, dimension=DIMENSION)
    gallery.ensure("people")
    store.create_collection("foreign", model="another", dimension=DIMENSION)
    return gallery
