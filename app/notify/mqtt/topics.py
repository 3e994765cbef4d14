"""Topics of MQTT: where the messages of cameras and people are published; pure."""

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

_LEVEL = re.compile(r"[A-Za-z0-9_.~-]+")
_UNSAFE = re.compile(r"[^A-Za-z0-9]+")
_READABLE = 24
_DIGEST = 12


@dataclass(frozen=True, slots=True)
class MqttMessage:
    """A message to publish. An empty payload of a retained message deletes the one that the broker has."""

    topic: str
    payload: bytes
    is_retained: bool = False


@dataclass(frozen=True, slots=True)
class Topics:
    """Topics below a prefix, such as `arcid`.

    Ids may contain any letters, also `+`, `#` and `/`, which have a meaning in topics. So each id is one level, and
    all characters except ASCII letters, digits and `_.~-` are percent-encoded, as in a URL.
    """

    prefix: str

    @property
    def status(self) -> str:
        """`online`, or `offline` if this service stopped or lost its connection; retained."""
        return f"{self.prefix}/status"

    def events(self, kind: str) -> str:
        """All events of a kind, as JSON."""
        return f"{self.prefix}/events/{kind}"

    def sighting(self, camera: str) -> str:
        """Each decision on a person at a camera, as JSON."""
        return f"{self.prefix}/camera/{level(camera)}/sighting"

    def last_person(self, camera: str) -> str:
        """The person recognized last by a camera, as JSON; retained."""
        return f"{self.prefix}/camera/{level(camera)}/person"

    @property
    def every_last_person(self) -> str:
        """Filter of the topics `last_person` of all cameras."""
        return f"{self.prefix}/camera/+/person"

    @property
    def every_person(self) -> str:
        """Filter of the topics `person` of all people."""
        return f"{self.prefix}/person/+/+"

    @property
    def every_camera(self) -> str:
        """Filter of the retained topics of all cameras."""
        return f"{self.prefix}/camera/+/+"

    def camera_in(self, topic: str) -> str | None:
        """Return the camera of a topic; None: the topic is not of a camera."""
        levels = topic.removeprefix(f"{self.prefix}/camera/").split("/")
        return unquote(levels[0]) if topic.startswith(f"{self.prefix}/camera/") and len(levels) > 1 else None

    def image(self, camera: str) -> str:
        """Best shot of each person at a camera: JPEG."""
        return f"{self.prefix}/camera/{level(camera)}/image"

    def connection(self, camera: str) -> str:
        """`online` or `offline`, if the camera's stream was lost; retained."""
        return f"{self.prefix}/camera/{level(camera)}/status"

    def person(self, collection: str, identity_id: str) -> str:
        """The camera that recognized a person last, as JSON; retained."""
        return f"{self.prefix}/person/{level(collection)}/{level(identity_id)}"


def level(text: str) -> str:
    """Return a text as one level of a topic. Different texts give different levels."""
    return text if _LEVEL.fullmatch(text) else quote(text, safe="~")


def entity_id(*parts: str) -> str:
    """Return an id for Home Assistant: letters, digits, `_` and `-`; a digest keeps different parts apart."""
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_DIGEST]
    readable = _UNSAFE.sub("_", parts[-1]).strip("_")[:_READABLE]
    return "_".join(filter(None, ("arcid", readable, digest)))
