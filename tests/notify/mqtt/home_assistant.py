"""Check messages with Home Assistant's own discovery; runs with the Python of .ci/homeassistant.

Input: a JSON list of topics and payloads. Output: the names of the options that it did not know.
"""

import importlib
import json
import sys
from typing import Any

from homeassistant.components.mqtt import discovery  # type: ignore[import-not-found]


def check(topic: str, payload: str) -> set[str]:
    """Return the unknown options; raises if the message is refused."""
    component = discovery.TOPIC_MATCHER.fullmatch(topic.removeprefix("homeassistant/")).group("component")
    config: dict[str, Any] = json.loads(payload)
    discovery.MQTT_ORIGIN_INFO_SCHEMA(config["origin"])
    accepted = importlib.import_module(f"homeassistant.components.mqtt.{component}").DISCOVERY_SCHEMA(dict(config))
    return set(config) - set(accepted)


if __name__ == "__main__":
    json.dump([sorted(check(topic, payload)) for topic, payload in json.load(sys.stdin)], sys.stdout)
