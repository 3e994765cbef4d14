import pytest

from tests.api.compreface.asking import RECOGNITION


@pytest.fixture
def emptied(client):
    """The service's client; nobody is enrolled, neither before nor after."""
    client.delete(f"{RECOGNITION}/subjects")
    yield client
    client.delete(f"{RECOGNITION}/subjects")
