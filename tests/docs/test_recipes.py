"""The programs of docs/javascript.md and docs/cameras.md, against the real service, a real broker and a stand-in for
Frigate."""

import json
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from queue import Queue

import httpx2

from app.cli.demo import serving
from app.notify.mqtt.topics import Topics
from tests.docs.examples import examples
from tests.docs.stand_ins import StandIn, served
from tests.mosquitto import DEADLINE_S, Subscriber, broker_in


def frigate_event(kind, event_id, *, shot, sub_label=None, label="person", end_time=None):
    """Return a message of `frigate/events`, with the members of Frigate 0.17 that concern snapshots."""
    after = {
        "id": event_id,
        "camera": "front_door",
        "frame_time": 1607123962.08,
        "snapshot": shot and {"frame_time": shot, "box": [415, 489, 528, 700], "area": 12728, "score": 0.77},
        "label": label,
        "sub_label": sub_label,
        "top_score": 0.96,
        "false_positive": False,
        "start_time": 1607123955.47,
        "end_time": end_time,
        "has_snapshot": shot is not None,
        "has_clip": False,
        "stationary": False,
    }
    return json.dumps({"type": kind, "before": after, "after": after})


@contextmanager
def frigate(snapshots):
    """Yield the address of a stand-in for Frigate, the ids of the snapshots it gave, and the sub labels it was sent."""
    given: list[str] = []
    labels: Queue[tuple[str, str]] = Queue()

    class Frigate(StandIn, BaseHTTPRequestHandler):
        def do_GET(self):
            event_id = self.path.split("/")[3]
            given.append(event_id)
            self.reply(snapshots[event_id])

        def do_POST(self):
            """Accept what Frigate's model `EventsSubLabelBody` accepts."""
            _, api, events, event_id, sub_label = self.path.split("/")
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert (api, events, sub_label) == ("api", "events", "sub_label")
            assert body.keys() == {"subLabel", "subLabelScore"}
            assert len(body["subLabel"]) <= 100
            assert 0 < body["subLabelScore"] <= 1
            self.reply(b'{"success": true}')
            labels.put((event_id, body["subLabel"]))

    with served(Frigate) as address:
        yield address, given, labels


def test_people_are_named_in_frigate(settings, faces_of, faceless, tmp_path):
    [script] = [example for example in examples("docs/cameras.md") if "name_people.py" in example.text]
    (tmp_path / "name_people.py").write_text(script.text, "utf-8")
    with (
        serving(settings, port=0) as arcid,
        broker_in(tmp_path) as broker,
        frigate({"a": faces_of[0], "b": faceless, "c": faces_of[0]}) as (address, given, labels),
    ):
        httpx2.post(f"{arcid}/collections", json={"name": "home"}).raise_for_status()
        person = {"identity_id": "ada", "name": "Ada", "collection": "home"}
        httpx2.post(f"{arcid}/enroll", files={"photos": faces_of[0]}, data=person, timeout=60).raise_for_status()
        command = [
            sys.executable,
            tmp_path / "name_people.py",
            f"mqtt://127.0.0.1:{broker.port}",
            address,
            arcid,
            "key",
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
            broker.wait_for_subscription("frigate/events")
            camera = Subscriber(broker.port, "nothing")
            for message in (
                frigate_event("new", "a", shot=None),
                frigate_event("update", "b", shot=1.5),
                frigate_event("update", "b", shot=1.5),
                frigate_event("update", "car", shot=1.5, label="car"),
                frigate_event("update", "bob", shot=1.5, sub_label=["Bob", 0.8]),
                frigate_event("update", "a", shot=2.5),
                frigate_event("end", "a", shot=3.5, end_time=4.5),
                frigate_event("end", "c", shot=1.5, end_time=4.5),
            ):
                camera.publish("frigate/events", message)
            named = [labels.get(timeout=DEADLINE_S) for _ in range(2)]
            camera.close()
            program.kill()
            assert program.stdout is not None
            assert program.stdout.read().splitlines()[:2] == ["b unknown", "a Ada"]
    assert named == [("a", "Ada"), ("c", "Ada")]
    assert given == ["b", "a", "c"]


def test_the_flow_for_node_red_is_complete():
    [flow] = [json.loads(each.text) for each in examples("docs/cameras.md") if "mqtt-broker" in each.text]
    nodes = {each["id"]: each for each in flow}
    assert len(nodes) == len(flow)
    wired = {target for each in flow for wires in each.get("wires", []) for target in wires}
    assert wired <= nodes.keys()
    assert nodes["arcid-seen"]["topic"] == Topics("arcid").sighting("+").replace("%2B", "+")
