import pytest
from sqlalchemy import select, update

from app.database.cipher import Master, new_secret
from app.database.delivery_tables import DestinationTable
from app.database.vault import Vault
from app.errors import SealBroken
from app.gallery.store.reencryption import Reencryption
from app.notify.destination_rows import opened_access
from tests.notify.receivers import new_destination


@pytest.fixture
def master():
    return Master(new_secret())


def opened(engine, vault):
    table = DestinationTable.__table__
    with engine.connect() as connection:
        return [opened_access(vault, row, is_rotating=True).secret for row in connection.execute(select(table))]


def rotate(engine, vault):
    rotation = Reencryption(engine, vault)
    key = rotation.begin()
    list(rotation.run(key, 100))
    rotation.finish(key)
    return rotation, key


def test_destinations_from_before_encryption_are_sealed_and_then_only_sealed_ones_open(engine, master):
    new_destination(engine, "one", Vault(engine))
    vault = Vault(engine, master)
    vault.open_keys()
    assert not vault.is_closed  # there is plain data
    assert opened(engine, vault) == ["one"]
    rotation, _ = rotate(engine, vault)
    assert (vault.is_closed, rotation.left()) == (True, 0)
    assert opened(engine, vault) == ["one"]
    with engine.begin() as connection:
        connection.execute(update(DestinationTable).values(data_key_id=None, sealed=b"{}"))
    with pytest.raises(SealBroken):
        opened(engine, vault)
    assert [(each.table, each.is_refused) for each in rotation.flaws()] == [("destinations", True)]


def test_a_rotation_reseals_destinations_and_deletes_the_older_key(engine, master):
    vault = Vault(engine, master)
    vault.open_keys()
    new_destination(engine, "one", vault)
    _, first = rotate(engine, vault)
    _, second = rotate(engine, vault)
    assert second > first
    with engine.connect() as connection:
        assert connection.scalars(select(DestinationTable.data_key_id)).all() == [second]
    assert opened(engine, vault) == ["one"]
    assert list(Reencryption(engine, vault).flaws()) == []


def test_a_destination_that_does_not_open_is_reported_and_keeps_its_key(engine, master):
    vault = Vault(engine, master)
    vault.open_keys()
    new_destination(engine, "one", vault)
    with engine.begin() as connection:
        connection.execute(update(DestinationTable).values(destination_id="moved"))
    rotation, _ = rotate(engine, vault)
    assert [each.face_id for each in rotation.refused] == ["moved"]
    assert [(each.face_id, each.is_refused) for each in rotation.flaws()] == [("moved", True)]
