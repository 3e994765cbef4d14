from contextlib import contextmanager

import httpx2
import pytest

from app.cli.demo import serving


@pytest.fixture(scope="module")
def served(settings):
    """Return a context: a client of the service behind a real server on a real socket, with changed settings."""

    @contextmanager
    def start(**changes):
        changed = settings.model_copy(update=changes)
        with serving(changed, port=0) as address, httpx2.Client(base_url=address, timeout=120) as client:
            yield client

    return start
