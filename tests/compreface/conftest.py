import pytest
from starlette.testclient import TestClient

from app.access.key_store import KeyStore
from app.access.keys import NewKey, Scope
from app.main import create_app
from tests.compreface.asking import RECOGNITION
from tests.recognition.conftest import analysis, gallery

__all__ = ["analysis", "gallery"]


@pytest.fixture
def emptied(client):
    """The service's client; nobody is enrolled, neither before nor after."""
    client.delete(f"{RECOGNITION}/subjects")
    yield client
    client.delete(f"{RECOGNITION}/subjects")


@pytest.fixture
def with_keys(settings, databases):
    with databases.url() as url:
        app = create_app(settings.model_copy(update={"database_url": url}))
        with TestClient(app, raise_server_exceptions=False) as client:
            for name in ("staff", "guests"):
                client.post("/collections", json={"name": name})
            store = KeyStore(app.state.services.database.engine)

            def key(*collections):
                _, secret = store.create(NewKey("-".join(collections) or "all", list(Scope), collections or None))
                return {"x-api-key": secret}

            keys = {each: key(*each) for each in ((), ("staff",), ("staff", "guests"), ("default", "guests"))}
            app.state.services.access.refresh()  # else they are asked for within a second
            yield client, keys
