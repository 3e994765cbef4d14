"""The group of settings for the delivery of events."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import NoDecode

from app.config.groups import split_at_commas
from app.remote.urls import UrlRules


def _hosts(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return hosts as URLs contain them; raises ValueError if one is not a host."""
    return UrlRules.parse(",".join(texts), "https", "443").hosts if texts else ()


class DeliverySettings(BaseModel):
    """Delivery of events to webhooks and MQTT; see docs/events.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hosts: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(split_at_commas),
        AfterValidator(_hosts),
        Field(
            description="Hosts, separated by commas, that may receive events at private addresses and without TLS: "
            "names, addresses or *.example.lan."
        ),
    ] = ()
    seconds: Annotated[
        float, Field(gt=0, le=60, description="Time limit for one delivery of an event, in seconds.")
    ] = 10
