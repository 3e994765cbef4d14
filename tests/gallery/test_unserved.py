"""Collections of networks that are not served: adopted, reported or refused with the remedy."""

import re
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from app.errors import CollectionUnknown, ModelMismatch
from app.gallery.store.network_adoption import Binding
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
    unserved = UnservedCollections(["new"], adopt=deleted)
    assert unserved.resolve(served) is served
    assert [unserved.is_permanent(each) for each in (served, FULL, EMPTY)] == [False, True, False]


def test_an_empty_collection_takes_the_network_and_a_full_one_never():
    unserved = UnservedCollections(["new"], adopt=taking, remedy=lambda each: f"see {each.name}")
    assert unserved.resolve(EMPTY).model == "new"
    with pytest.raises(ModelMismatch, match=r"'people' was enrolled with old, the service runs new; .*: see people$"):
        unserved.resolve(FULL)


@pytest.mark.parametrize(
    ("binding", "hint", "is_permanent"),
    [
        (Binding.THRESHOLD, "reset the threshold, .* (arcid collections set people --reset threshold)", True),
        (Binding.JOB, "wait for the job, or cancel it (arcid jobs list --collection people)", True),
        (Binding.RECENT_CHANGE, "its network changed within the last minute: try again in a minute", False),
        (None, "repeat the request", False),
    ],
)
def test_an_empty_collection_that_is_bound_is_refused_with_the_reason_and_the_easiest_remedy(
    binding, hint, is_permanent
):
    unserved = UnservedCollections(["new"], binding=lambda _: binding, remedy=lambda _: "the remedy")
    words = re.escape(hint).replace(r"\.\*", ".*")
    with pytest.raises(
        ModelMismatch, match=f"'people' is of old, the service runs new; it is empty.*{words}.*; or the remedy$"
    ):
        unserved.resolve(EMPTY)
    assert unserved.is_permanent(EMPTY) is is_permanent


def test_the_start_logs_what_cannot_be_recognized_with_the_remedy():
    unserved = UnservedCollections(["new"], adopt=taking, remedy=lambda _: "the remedy")
    with capture_logs() as logs:
        assert unserved.resolve_or_report(FULL) is None
        assert unserved.resolve_or_report(EMPTY) == taking(EMPTY)
    assert [each["event"] for each in logs] == ["collection.not_served", "collection.network_taken"]
    assert (logs[0]["log_level"], logs[0]["faces"], logs[0]["hint"][-12:]) == ("warning", 2, ": the remedy")
    assert UnservedCollections(["new"], adopt=deleted).resolve_or_report(EMPTY) is None
