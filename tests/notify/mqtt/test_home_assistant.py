"""Home Assistant's own schemas accept the messages."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from app.notify.mqtt.discovery import Discovery
from app.notify.mqtt.topics import Topics

ROOT = Path(__file__).parents[3]
PYTHON = Path(os.environ.get("HOMEASSISTANT_TOOLS", ROOT / ".data/homeassistant-tools")) / "bin/python"
IDS = ["door", "a/b+#$\0", "门" * 64, "\U0001f600" * 128, "x" * 128, "'\"{{ 1 }}{% raw %}"]


def accepted(messages):
    """Return for each message the options that Home Assistant did not know; fails if it refuses a message."""
    if not PYTHON.exists():
        pytest.skip("no Home Assistant: run .ci/homeassistant")
    content = json.dumps([[each.topic, each.payload.decode()] for each in messages])
    command = [str(PYTHON), "-W", "ignore", str(Path(__file__).with_name("home_assistant.py"))]
    done = subprocess.run(command, input=content, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_message_is_accepted():
    discovery = Discovery("homeassistant", Topics("arcid/" + "p" * 100), "1.2.3")
    messages = [each for camera in IDS for each in discovery.camera(camera, has_image=True)]
    for identity_id in IDS:
        messages += discovery.person("home", identity_id, None)
        messages += discovery.person("home", identity_id, f"{identity_id} " * 2)
    assert accepted(messages) == [[]] * 48


def test_an_invalid_message_is_refused():
    [message] = Discovery("homeassistant", Topics("arcid/+"), "1").person("home", "ada", None)
    wrong = [type(message)(message.topic, message.payload.replace(b"state_topic", b"stat_topic_"))]
    with pytest.raises(AssertionError, match="state_topic"):
        accepted(wrong)
