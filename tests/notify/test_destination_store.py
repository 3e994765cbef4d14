from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from app.access.trail import Trail
from app.database.cipher import Master, new_secret
from app.database.delivery_tables import DestinationTable
from app.database.vault import Vault
from app.errors import DestinationUnknown, TooManyDestinations
from app.notify.destination_rows import opened_access
from app.notify.destination_store import MOST_DESTINATIONS, DestinationStore
from tests.notify.receivers import new_destination


@pytest.fixture(params=[None, Master(new_secret())], ids=["plain", "sealed"])
def vault(request, engine):
    made = Vault(engine, request.param)
    made.open_keys()
    return made


@pytest.fixture
def store(engine, vault):
    return DestinationStore(engine, vault)


def row(engine):
    with engine.connect() as connection:
        return connection.execute(select(DestinationTable.__table__)).one()


def access(engine, vault, *, is_rotating=True):
    return opened_access(vault, row(engine), is_rotating=is_rotating)


def test_urls_and_secrets_are_sealed_if_encryption_is_on(engine, vault, store):
    made = new_destination(engine, "whsec_one", vault)
    assert store.all() == [made] == [store.get(made.destination_id)]
    assert (access(engine, vault).url, access(engine, vault).secret) == (
        "https://hooks.example/secret-path",
        "whsec_one",
    )
    is_plain = b"secret-path" in row(engine).sealed
    assert is_plain == (not vault.is_on) == (row(engine).data_key_id is None)
    trail = "".join(str(line.content()) for line in Trail(engine).lines())
    assert "destination.created" in trail
    assert "secret-path" not in trail
    assert "whsec_one" not in trail


def test_a_change_keeps_what_it_does_not_name(engine, vault, store):
    made = new_destination(engine, "whsec_one", vault, collections=["b", "a"])
    changed = store.change(made.destination_id, {"is_enabled": False, "kinds": ["job.finished"]})
    assert (changed.is_enabled, changed.kinds, changed.collections) == (False, {"job.finished"}, {"a", "b"})
    moved = store.change(made.destination_id, {"kinds": None}, ("https://new.example/p", "https://new.example"))
    assert (moved.origin, moved.kinds, access(engine, vault).secret) == ("https://new.example", None, "whsec_one")
    assert access(engine, vault).url == "https://new.example/p"


def test_the_previous_secret_stays_for_a_time(engine, vault, store):
    made = new_destination(engine, "whsec_one", vault)
    rotated = store.rotate(made.destination_id, "whsec_two", timedelta(hours=1))
    assert timedelta(minutes=59) < rotated.previous_until - datetime.now(UTC) < timedelta(minutes=61)
    both = access(engine, vault)
    assert (both.secret, both.previous_secret) == ("whsec_two", "whsec_one")
    assert access(engine, vault, is_rotating=False).previous_secret is None
    assert store.rotate(made.destination_id, "whsec_three", timedelta()).previous_until is None
    assert access(engine, vault).previous_secret is None


def test_unknown_and_deleted_destinations(engine, vault, store):
    made = new_destination(engine, vault=vault)
    store.delete(made.destination_id)
    for call in (store.get, store.delete, lambda each: store.change(each, {})):
        with pytest.raises(DestinationUnknown):
            call(made.destination_id)


def test_the_number_of_destinations_is_limited(engine, vault):
    for _ in range(MOST_DESTINATIONS):
        new_destination(engine, vault=vault)
    with pytest.raises(TooManyDestinations, match="32 destinations"):
        new_destination(engine, vault=vault)
