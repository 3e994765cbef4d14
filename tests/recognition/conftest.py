import pytest

from app.gallery.gallery import Gallery
from app.recognition.analysis import Analysis
from tests.recognition.fakes import DIMENSION, MODEL, colour_analysis
from tests.recognition.galleries import gallery_on


@pytest.fixture(scope="session")
def analysis() -> Analysis:
    return colour_analysis()


@pytest.fixture
def gallery(engine, store) -> Gallery:
    """A gallery with an empty collection `people`, and one of another network, `foreign`."""
    gallery = gallery_on(engine, model=MODEL, dimension=DIMENSION)
    gallery.ensure("people")
    store.create_collection("foreign", model="another", dimension=DIMENSION)
    return gallery
