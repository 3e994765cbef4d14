"""The address of a destination of kind MQTT: `mqtts://user:password@broker:8883/prefix?discovery=homeassistant`."""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from app.errors import RequestInvalid

DISCOVERY = "homeassistant"
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_PREFIX = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")
_LONGEST_PREFIX = 128
_PARAMETERS = frozenset({"discovery", "protocol"})
_FORM = (
    "it has the form mqtts://user:password@broker:8883/prefix; in the user and password, send # as %23, / as %2F, "
    "? as %3F and @ as %40"
)


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where and how to publish.

    Attributes:
        host: Name or address of the broker.
        port: Its port.
        is_encrypted: Whether TLS is used. The broker's certificate is checked.
        user: Name of the user; None: no sign-in.
        password: Their password.
        prefix: First levels of all topics.
        discovery: Home Assistant's discovery prefix; None: its devices are not created.
        is_version_5: Use MQTT 5, in which a broker reports a refused message; else 3.1.1.
    """

    host: str
    port: int
    is_encrypted: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    prefix: str = "arcid"
    discovery: str | None = DISCOVERY
    is_version_5: bool = True


def parse_broker(url: str) -> BrokerAddress:
    """Return the address in a URL; raises RequestInvalid, whose message never contains the password."""
    try:
        parts = urlsplit(url)
        port = parts.port
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise _invalid(_FORM) from None
    if parts.scheme not in _PORTS or not parts.hostname or "#" in url:
        raise _invalid(_FORM)
    if unknown := sorted(query.keys() - _PARAMETERS):
        raise _invalid(f"unknown parameter {unknown[0]!r}; it may have {', '.join(sorted(_PARAMETERS))}")
    user, password = parts.username, parts.password
    return BrokerAddress(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        is_encrypted=parts.scheme == "mqtts",
        user=unquote(user) if user else None,
        password=unquote(password) if password else None,
        prefix=_prefix(parts.path.strip("/") or "arcid"),
        discovery=_discovery(query.get("discovery", DISCOVERY)),
        is_version_5=_choice("protocol", query.get("protocol", "5"), {"5": True, "3.1.1": False}),
    )


def _discovery(text: str) -> str | None:
    return None if text == "false" else _prefix(text)


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text) or len(text) > _LONGEST_PREFIX:
        raise _invalid(f"a prefix has up to {_LONGEST_PREFIX} ASCII letters, digits and _.-/")
    return text


def _choice(name: str, text: str, choices: dict[str, bool]) -> bool:
    if text not in choices:
        raise _invalid(f"{name} is {' or '.join(choices)}")
    return choices[text]


def _invalid(detail: str) -> RequestInvalid:
    return RequestInvalid.at("url", f"the address of the broker is not valid: {detail}")
