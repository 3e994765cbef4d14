import subprocess
from contextlib import contextmanager

import cv2
import httpx2
import numpy as np
import pytest

from app.cli.demo import serving
from tests.end_to_end.axe import axe_source
from tests.end_to_end.browsing import chromium, opened


@pytest.fixture(scope="module")
def served(settings):
    """Return a context manager: a client of a real server on a real socket, with changed settings."""

    @contextmanager
    def start(**changes):
        changed = settings.model_copy(update=changes)
        with serving(changed, port=0) as address, httpx2.Client(base_url=address, timeout=120) as client:
            yield client

    return start


@pytest.fixture(scope="session")
def axe():
    """The script of axe-core; skips if npm cannot install it."""
    try:
        return axe_source()
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"axe-core is not available: {error}")


@pytest.fixture(scope="module")
def browser(tmp_path_factory, portrait):
    """A Chromium whose camera shows the portrait; skips without Chromium or Playwright."""
    pixels = cv2.imdecode(np.frombuffer(portrait, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    frames = tmp_path_factory.mktemp("camera") / "portrait.mjpeg"
    frames.write_bytes(cv2.imencode(".jpg", pixels)[1].tobytes() * 10)
    with chromium(frames) as browser:
        yield browser


@pytest.fixture(scope="module")
def address(browser, settings):
    """Address of the service, without API keys."""
    with serving(settings, port=0) as address:
        yield address


@pytest.fixture(scope="module")
def gallery_before():
    """The people as they were when they were enrolled."""
    return []


@pytest.fixture
def people(address, faces_of, gallery_before):
    """Enroll four people of the group photo, p0 to p3: Ada, Bob, Cora, Dan. Do it again if a test changed them."""
    with httpx2.Client(base_url=address, timeout=120) as client:
        if _gallery(client) != gallery_before or not gallery_before:
            for each in _gallery(client):
                client.delete(f"/collections/default/identities/{each['identity_id']}").raise_for_status()
            for at, name in enumerate(("Ada", "Bob", "Cora", "Dan")):
                data = {"identity_id": f"p{at}", "name": name}
                client.post("/enroll", files={"photos": faces_of[at]}, data=data).raise_for_status()
            gallery_before[:] = _gallery(client)
        yield


def _gallery(client):
    return client.get("/collections/default/identities").json()["identities"]


@pytest.fixture
def page(browser, address, people):
    """The page at desktop width, with four people enrolled."""
    with opened(browser, address) as page:
        yield page
