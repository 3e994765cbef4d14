from datetime import timedelta

import pytest

from app.access.keys import Principal, Scope
from app.database.outbox import EventKind
from app.database.vault import Vault
from app.errors import (
    CollectionForbidden,
    CollectionUnknown,
    DestinationDisabled,
    DestinationUnknown,
    RequestInvalid,
)
from app.gallery.store.identities import IdentityStore
from app.notify.delivery import DeliveryState
from app.notify.delivery_log import DeliveryLog
from app.notify.destination import DestinationKind, NewDestination
from app.notify.destination_service import DestinationService
from app.notify.destination_store import DestinationStore
from app.notify.webhook import WebhookSender
from app.remote.posting import Poster
from tests.gallery.store.enrolling import D
from tests.notify.receivers import FakeSender, dispatch, new_queue, send_due

ALL = Principal("all", frozenset({Scope.ADMIN}))
STAFF = Principal("staff", frozenset({Scope.ADMIN}), frozenset({"staff"}))
URL = "https://hooks.example/path"


@pytest.fixture
def service(engine):
    senders = {DestinationKind.WEBHOOK: WebhookSender(Poster([], seconds=1))}
    return DestinationService(DestinationStore(engine, Vault(engine)), DeliveryLog(engine), senders)


def test_a_secret_is_returned_when_it_is_made(service):
    made, secret = service.create(ALL, NewDestination(DestinationKind.WEBHOOK, URL))
    rotated, another = service.rotate(ALL, made.destination_id, timedelta(hours=1))
    assert secret.startswith("whsec_")
    assert another not in {secret, ""}
    assert rotated.previous_until is not None


def test_a_destination_is_for_collections_that_exist(service):
    made, _ = service.create(ALL, NewDestination(DestinationKind.WEBHOOK, URL))
    with pytest.raises(CollectionUnknown):
        service.create(ALL, NewDestination(DestinationKind.WEBHOOK, URL, collections=["staf"]))
    with pytest.raises(CollectionUnknown):
        service.change(ALL, made.destination_id, {"collections": ["staf"]})


def test_a_key_for_some_collections_manages_destinations_for_these(service, engine):
    IdentityStore(engine).create_collection("staff", model="net", dimension=D)
    everything, _ = service.create(ALL, NewDestination(DestinationKind.WEBHOOK, URL))
    staff, _ = service.create(STAFF, NewDestination(DestinationKind.WEBHOOK, URL, collections=["staff"]))
    assert service.all(STAFF) == [staff]
    assert service.all(ALL) == [everything, staff]
    for call in (service.get, service.test, service.delete, service.replay):
        with pytest.raises(DestinationUnknown):
            call(STAFF, everything.destination_id)
    with pytest.raises(CollectionForbidden):
        service.create(STAFF, NewDestination(DestinationKind.WEBHOOK, URL))
    with pytest.raises(CollectionForbidden):
        service.change(STAFF, staff.destination_id, {"collections": None})


@pytest.mark.parametrize(
    ("new", "field"),
    [
        (NewDestination(DestinationKind.WEBHOOK, "http://hooks.example/path"), "url"),
        (NewDestination(DestinationKind.WEBHOOK, "https://hooks.example:22/path"), "url"),
        (NewDestination(DestinationKind.WEBHOOK, "nonsense"), "url"),
        (NewDestination(DestinationKind.MQTT, "mqtt://broker"), "kind"),
    ],
)
def test_a_destination_that_cannot_be_reached_is_refused(service, new, field):
    with pytest.raises(RequestInvalid) as raised:
        service.create(ALL, new)
    assert raised.value.fields[0]["field"] == field


def test_a_missing_library_is_named_with_its_remedy(service):
    with pytest.raises(RequestInvalid, match=r"pip install 'arcid\[mqtt\]'"):
        service.create(ALL, NewDestination(DestinationKind.MQTT, "mqtt://broker"))


def test_a_test_event_goes_to_one_destination(engine, service):
    made, _ = service.create(ALL, NewDestination(DestinationKind.WEBHOOK, URL, kinds=[EventKind.JOB_FINISHED]))
    other, _ = service.create(ALL, NewDestination(DestinationKind.WEBHOOK, URL))
    event_id = service.test(ALL, made.destination_id)
    dispatch(engine)
    sender, queue = FakeSender(), new_queue(engine)
    send_due(queue, other, sender)
    assert sender.sent == []
    send_due(queue, made, sender)
    assert [each.event.event_id for each in sender.sent] == [event_id]
    page = service.deliveries(ALL, made.destination_id, state=DeliveryState.DELIVERED, after=0, limit=10)
    assert [each.event_id for each in page.items] == [event_id]


def test_a_disabled_destination_is_neither_tested_nor_replayed(service):
    made, _ = service.create(ALL, NewDestination(DestinationKind.WEBHOOK, URL))
    service.change(ALL, made.destination_id, {"is_enabled": False})
    for call in (service.test, service.replay):
        with pytest.raises(DestinationDisabled):
            call(ALL, made.destination_id)


def test_only_a_webhook_has_a_secret(engine):
    service = DestinationService(
        DestinationStore(engine, Vault(engine)), DeliveryLog(engine), {DestinationKind.MQTT: FakeSender()}
    )
    made, secret = service.create(ALL, NewDestination(DestinationKind.MQTT, "mqtt://broker"))
    assert secret is None
    with pytest.raises(RequestInvalid, match="only webhooks"):
        service.rotate(ALL, made.destination_id, timedelta())
