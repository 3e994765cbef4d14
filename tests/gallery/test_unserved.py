"""Collections of networks that are not served: adopted, reported or refused with the remedy."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from app.errors import CollectionUnknown, ModelMismatch
from app.gallery.store.values import Collection, CollectionSettings
from app.gallery.unserved import UnservedCollections
from app.types import CollectionKey

EMPTY = Collection(CollectionKey(1), "uid", "people", "old", 4, 0, 0, 0, CollectionSettings())
FULL = replace(EMPTY, faces=2, identities=1)


def taking(collection: Collection) -> Collection:
    return replace(collection, model="new", uid="other")


def deleted(collection: Collection) -> Collection:
    raise CollectionUnknown(collection.name)


def test_a_served_collection_stays():
    served = replace(FULL, model="new")
    assert UnservedCollections(["new"], adopt=deleted).resolve(served) is served


def test_an_empty_collection_takes_the_network_and_a_full_one_never():
    unserved = UnservedCollections(["new"], adopt=taking, remedy=lambda each: f"see {each.name}")
    assert unserved.resolve(EMPTY).model == "new"
    with pytest.raises(ModelMismatch, match=r"'people' was enrolled with old, the service runs new; .*: see people$"):
        unserved.resolve(FULL)


def test_an_empty_collection_that_is_bound_is_refused_with_the_reasons():
    with pytest.raises(ModelMismatch, match=r"'people' is of old, .* once it has no threshold and no unfinished job"):
        UnservedCollections(["new"]).resolve(EMPTY)


def test_the_start_logs_what_cannot_be_recognized_with_the_remedy():
    unserved = UnservedCollections(["new"], adopt=taking, remedy=lambda _: "the remedy")
    with capture_logs() as logs:
        assert unserved.resolve_or_report(FULL) is None
        assert unserved.resolve_or_report(EMPTY) == taking(EMPTY)
    assert [each["event"] for each in logs] == ["collection.not_served", "collection.network_taken"]
    assert (logs[0]["log_level"], logs[0]["faces"], logs[0]["hint"]) == ("warning", 2, "the remedy")
    assert UnservedCollections(["new"], adopt=deleted).resolve_or_report(EMPTY) is None
