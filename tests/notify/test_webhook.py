from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app.errors import UrlNotAllowed
from app.notify.delivery import Delivery, DeliveryFailed, OutgoingEvent
from app.notify.destination import Destination, DestinationAccess, DestinationKind
from app.notify.webhook import WebhookSender, new_webhook_secret
from app.remote.posting import Poster
from tests.notify.receivers import webhook

FAR_ZONE = f"Mon, 01 Jan 2024 00:00:00 +{'9' * 20}"
AT = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
DESTINATION = Destination(1, "id", DestinationKind.WEBHOOK, "origin", None, None, True, False, None, AT)  # noqa: FBT003 - as stored
SECRET, PREVIOUS = new_webhook_secret(), new_webhook_secret()


@pytest.fixture(scope="module")
def hook():
    with webhook() as running:
        yield running


@pytest.fixture
def sender():
    return WebhookSender(Poster(["127.0.0.1"], seconds=5))


def delivery(url, image=None, previous=None):
    event = OutgoingEvent("e-1", "person.unknown", "camera:door", 7, "staff", {"camera": "Tür"}, AT, image)
    return Delivery(1, event, DESTINATION, DestinationAccess(url, SECRET, previous), 1, AT)


def sent(hook, sender, **members):
    hook.requests.clear()
    sender.send(delivery(f"{hook.url}/events?token=t", **members))
    return hook.requests[0]


def test_the_body_and_its_signature_are_as_the_specification_says(hook, sender):
    path, headers, body = sent(hook, sender)
    assert path == "/events?token=t"
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == "e-1"
    assert Webhook(SECRET).verify(body, headers) == {
        "type": "person.unknown",
        "timestamp": "2026-11-30T12:00:00+00:00",
        "data": {"camera": "Tür", "event_id": "e-1", "position": 7, "key": "camera:door", "collection": "staff"},
    }
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body + b" ", headers)


def test_during_a_rotation_both_secrets_verify(hook, sender):
    _, headers, body = sent(hook, sender, previous=PREVIOUS)
    assert Webhook(SECRET).verify(body, headers) == Webhook(PREVIOUS).verify(body, headers)
    _, headers, body = sent(hook, sender)
    with pytest.raises(WebhookVerificationError):
        Webhook(PREVIOUS).verify(body, headers)


def test_an_image_is_sent_in_base64(hook, sender):
    sent(hook, sender, image=b"jpeg")
    assert hook.bodies()[0]["data"]["image"] == "anBlZw=="


@pytest.mark.parametrize("status", [301, 400, 410, 429, 500])
def test_any_status_but_success_is_a_failure(hook, sender, status):
    hook.answers["/bad"] = (status, {"Location": f"{hook.url}/events", "Retry-After": "120"})
    with pytest.raises(DeliveryFailed, match=f"^status {status}$") as raised:
        sender.send(delivery(f"{hook.url}/bad"))
    assert (raised.value.status, raised.value.retry_after_s) == (status, 120)
    assert raised.value.is_gone == (status == 410)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (timedelta(seconds=500), 500),
        (-timedelta(seconds=500), 0),
        ("soon", None),
        ("9" * 40, 1e9),
        (FAR_ZONE, None),
    ],
)
def test_retry_after_may_be_a_date(hook, sender, text, seconds):
    if isinstance(text, timedelta):
        text = format_datetime(datetime.now(UTC) + text, usegmt=True)
    hook.answers["/later"] = (503, {"Retry-After": text})
    with pytest.raises(DeliveryFailed) as raised:
        sender.send(delivery(f"{hook.url}/later"))
    assert raised.value.retry_after_s == (None if seconds is None else pytest.approx(seconds, abs=60))


def test_a_receiver_that_is_away_or_no_longer_allowed_is_a_failure_without_its_url(hook, sender):
    with pytest.raises(DeliveryFailed, match=r"^ConnectError$"):
        sender.send(delivery("http://127.0.0.1:9/secret"))
    with pytest.raises(DeliveryFailed, match="public") as raised:
        WebhookSender(Poster([], seconds=5)).send(delivery("https://127.0.0.1:9443/secret"))
    assert "/secret" not in raised.value.reason
    with pytest.raises(DeliveryFailed, match="https://"):
        WebhookSender(Poster([], seconds=5)).send(delivery(f"{hook.url}/secret"))


def test_the_origin_of_a_url_has_no_path(sender):
    assert sender.origin("https://Hooks.Example:8443/path?token=t") == "https://hooks.example:8443"
    assert sender.origin("https://hooks.example/path") == "https://hooks.example"
    with pytest.raises(UrlNotAllowed):
        sender.origin("https://user:password@hooks.example/")
