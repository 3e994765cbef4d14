"""Webhooks, signed by the Standard Webhooks specification, version 1.0.0 (standardwebhooks.com)."""

import base64
import hashlib
import hmac
import json
import secrets
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from app.errors import UrlNotAllowed, UrlUnreachable
from app.notify.delivery import Delivery, DeliveryFailed, OutgoingEvent
from app.remote.posting import PostAnswer, Poster

_PREFIX = "whsec_"
_SECRET_BYTES = 32
_GONE = 410


def new_webhook_secret() -> str:
    """Return a random secret, in the form `whsec_BASE64`."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def webhook_body(event: OutgoingEvent) -> bytes:
    """Return an event as the JSON body of a webhook."""
    return json.dumps(event_content(event), separators=(",", ":"), ensure_ascii=False).encode()


def event_content(event: OutgoingEvent) -> dict[str, Any]:
    """Return an event as JSON values: `type`, `timestamp` and `data`."""
    data = {
        **event.data,
        "event_id": event.event_id,
        "position": event.position,
        "key": event.key,
        "collection": event.collection,
    }
    if event.image is not None:
        data["image"] = base64.b64encode(event.image).decode()
    return {"type": event.kind, "timestamp": event.at.astimezone(UTC).isoformat(), "data": data}


def signature(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature `v1,BASE64` of a message; `timestamp` is in seconds since 1970."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    message = b".".join((event_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, message, hashlib.sha256)).decode()


class WebhookSender:
    """Posts events to webhooks."""

    def __init__(self, poster: Poster) -> None:
        self._poster = poster

    def origin(self, url: str) -> str:
        """Return scheme, host and port of a URL; raises UrlNotAllowed."""
        target = self._poster.target(url)
        return f"{target.scheme}://{target.url.netloc.decode('ascii')}"

    def send(self, delivery: Delivery) -> None:
        """Post the event; raises DeliveryFailed unless the answer is a success (2xx)."""
        body = webhook_body(delivery.event)
        try:
            answer = self._poster.post(delivery.access.url, _headers(delivery, body), body)
        except UrlUnreachable as error:
            raise DeliveryFailed(error.reason) from error
        except UrlNotAllowed as error:  # the allowed hosts have changed
            raise DeliveryFailed(str(error)) from error
        if not 200 <= answer.status < 300:
            raise _failure(answer)


def _headers(delivery: Delivery, body: bytes) -> dict[str, str]:
    timestamp = int(datetime.now(UTC).timestamp())
    signatures = [
        signature(secret, delivery.event.event_id, timestamp, body)
        for secret in (delivery.access.secret, delivery.access.previous_secret)
        if secret is not None
    ]
    return {
        "Content-Type": "application/json",
        "webhook-id": delivery.event.event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def _failure(answer: PostAnswer) -> DeliveryFailed:
    return DeliveryFailed(
        f"status {answer.status}",
        status=answer.status,
        retry_after_s=_seconds(answer.retry_after),
        is_gone=answer.status == _GONE,
    )


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds of a `Retry-After`, which is a number or a date (RFC 9110, 10.2.3); None if invalid."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        moment = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
