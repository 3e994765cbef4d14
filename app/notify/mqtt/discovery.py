"""Home Assistant's discovery: a device for each camera and each person that a camera has recognized; pure.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery, one message an entity, which all versions accept.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.notify.mqtt.topics import MqttMessage, Topics, entity_id

_OFF_S = 60  # a sighting is an instant: its sensor turns off again after this time
_LONGEST_STATE = 255
_NAME = f"{{{{ (value_json.name or value_json.identity_id)[:{_LONGEST_STATE}] if value_json is defined else none }}}}"
_CAMERA = "{{ value_json.camera if value_json is defined else none }}"
_ATTRIBUTES = "{{ value_json | tojson if value_json is defined else '{}' }}"  # cleared with an empty message


@dataclass(frozen=True, slots=True)
class Discovery:
    """Writes the messages that create and remove devices below Home Assistant's prefix, such as `homeassistant`."""

    prefix: str
    topics: Topics
    version: str

    def camera(self, camera: str, *, has_image: bool = False) -> list[MqttMessage]:
        """Return the messages that create the device of a camera."""
        device = entity_id(self.topics.prefix, "camera", camera)
        entities = self._camera_entities(camera)
        if not has_image:
            del entities["image", "best_shot"]
        return [
            self._message(component, device, name, {**config, "device": _device(device, camera, "Camera")})
            for (component, name), config in entities.items()
        ]

    def person(self, collection: str, identity_id: str, name: str | None) -> list[MqttMessage]:
        """Return the message that creates the device of a person."""
        device = entity_id(self.topics.prefix, "person", collection, identity_id)
        topic = self.topics.person(collection, identity_id)
        config = {
            "name": "Last camera",
            "icon": "mdi:account",
            **_state(topic, _CAMERA),
            "device": _device(device, name or identity_id, "Person"),
        }
        return [self._message("sensor", device, "last_camera", config)]

    def without_camera(self, camera: str) -> list[MqttMessage]:
        """Return the messages that remove the device of a camera."""
        return [_empty(message) for message in self.camera(camera, has_image=True)]

    def without_person(self, collection: str, identity_id: str) -> list[MqttMessage]:
        """Return the message that removes the device of a person."""
        return [_empty(message) for message in self.person(collection, identity_id, None)]

    @property
    def every_config(self) -> str:
        """Filter of the topics of all devices, also those of other programs."""
        return f"{self.prefix}/+/+/+/config"

    def is_own(self, payload: bytes) -> bool:
        """Return whether a message creates an entity of this prefix."""
        try:
            config = json.loads(payload)
        except ValueError:
            return False
        return isinstance(config, dict) and config.get("availability_topic") == self.topics.status

    def _camera_entities(self, camera: str) -> dict[tuple[str, str], dict[str, Any]]:
        topics = self.topics
        connection = {"state_topic": topics.connection(camera), "payload_on": "online", "payload_off": "offline"}
        return {
            ("sensor", "last_person"): {
                "name": "Last person",
                "icon": "mdi:face-recognition",
                **_state(topics.last_person(camera), _NAME),
            },
            ("binary_sensor", "person"): {
                "name": "Person",
                "device_class": "occupancy",
                **_on(topics.sighting(camera), ("match", "possible", "unknown", "attack")),
            },
            ("binary_sensor", "unknown"): {
                "name": "Unknown person",
                "icon": "mdi:account-question",
                **_on(topics.sighting(camera), ("unknown",)),
            },
            ("binary_sensor", "attack"): {
                "name": "Suspected attack",
                "device_class": "safety",
                **_on(topics.sighting(camera), ("attack",)),
            },
            ("binary_sensor", "connection"): {
                "name": "Connection",
                "device_class": "connectivity",
                "entity_category": "diagnostic",
                **connection,
            },
            ("image", "best_shot"): {
                "name": "Best shot",
                "content_type": "image/jpeg",
                "image_topic": topics.image(camera),
            },
        }

    def _message(self, component: str, device: str, name: str, config: Mapping[str, Any]) -> MqttMessage:
        payload = {
            **config,
            "unique_id": f"{device}_{name}",
            "availability_topic": self.topics.status,
            "origin": {"name": "ArcID", "sw_version": self.version},
        }
        topic = f"{self.prefix}/{component}/{device}/{name}/config"
        return MqttMessage(topic, json.dumps(payload, ensure_ascii=False).encode(), is_retained=True)


def _device(device: str, name: str, model: str) -> dict[str, str]:
    return {"identifiers": device, "name": name, "manufacturer": "ArcID", "model": model}


def _state(topic: str, template: str) -> dict[str, str]:
    return {
        "state_topic": topic,
        "value_template": template,
        "json_attributes_topic": topic,
        "json_attributes_template": _ATTRIBUTES,
    }


def _on(topic: str, verdicts: tuple[str, ...]) -> dict[str, str | int]:
    """Return a sensor that turns on with some verdicts; Home Assistant ignores a template's empty result."""
    template = f"{{{{ 'ON' if value_json.verdict in {list(verdicts)} else '' }}}}"
    return {"state_topic": topic, "value_template": template, "off_delay": _OFF_S}


def _empty(message: MqttMessage) -> MqttMessage:
    return MqttMessage(message.topic, b"", is_retained=True)
