import pytest

from app.config import read_settings
from app.errors import CollectionExists, PackUnknown, SchemaOutdated, SettingsInvalid
from app.factory.services import open_store


def rows(output: str) -> list[list[str]]:
    return [line.split() for line in output.splitlines()[1:]]


def test_a_collection_is_made_for_the_network_in_use(arcid, tiny):
    result = arcid("collections", "create", "people")
    assert (result.exit_code, result.output) == (0, "people: created for tiny-net\n")
    created = open_store(read_settings()).collection("people")
    assert (created.model, created.dimension, created.revision) == ("tiny-net", 3, 0)


def test_a_collection_needs_no_pulled_network(arcid):
    assert arcid("collections", "create", "people").output == "people: created for sface-2021dec\n"


def test_collections_are_listed(arcid, tiny, monkeypatch):
    arcid("collections", "create", "people")
    monkeypatch.setenv("ARCID_PACK", "buffalo_l")
    arcid("collections", "create", "Ada's guests")
    result = arcid("collections", "list")
    assert result.exit_code == 0
    assert rows(result.output) == [
        ["Ada's", "guests", "arcface-w600k-r50", "0", "0"],
        ["people", "tiny-net", "0", "0"],
    ]


def test_a_name_is_taken_once(arcid, tiny):
    arcid("collections", "create", "people")
    result = arcid("collections", "create", "people")
    assert isinstance(result.exception, CollectionExists)
    assert len(rows(arcid("collections", "list").output)) == 1


@pytest.mark.parametrize(("pack", "error"), [("yunet", SettingsInvalid), ("opne", PackUnknown)])
def test_a_pack_that_cannot_embed(arcid, monkeypatch, pack, error):
    monkeypatch.setenv("ARCID_PACK", pack)
    assert isinstance(arcid("collections", "create", "people").exception, error)


def test_a_database_of_ones_own_is_not_upgraded_silently(arcid, tmp_path, monkeypatch):
    monkeypatch.setenv("ARCID_DATABASE_URL", f"sqlite:///{tmp_path / 'own.db'}")
    for command in (("create", "people"), ("list",)):
        assert isinstance(arcid("collections", *command).exception, SchemaOutdated)
    arcid("db", "upgrade")
    assert arcid("collections", "create", "people").exit_code == 0
