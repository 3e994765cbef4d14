"""The programs of docs/javascript.md and docs/cameras.md, against the real service and a stand-in for Frigate."""

import json
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import httpx2

from app.cli.demo import serving
from tests.docs.examples import examples
from tests.docs.stand_ins import StandIn, served

EVENTS = [
    {"id": "1.a", "label": "person", "start_time": 1, "sub_label": None},
    {"id": "2.b", "label": "person", "start_time": 2, "sub_label": "Bob"},
    {"id": "3.c", "label": "person", "start_time": 3, "sub_label": None},
]


@contextmanager
def frigate(snapshots):
    """Yield the address of a stand-in for Frigate, and the sub labels that it was sent, by event."""
    labels = {}

    class Frigate(StandIn, BaseHTTPRequestHandler):
        def do_GET(self):
            path, _, query = self.path.partition("?")
            if path == "/api/events":
                assert "labels=person&has_snapshot=1" in query
                self.reply(json.dumps(EVENTS).encode())
            else:
                self.reply(snapshots[path.split("/")[3]])

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            labels[self.path.split("/")[3]] = json.loads(body)
            self.reply(b"{}")

    with served(Frigate) as address:
        yield address, labels


def test_people_are_named_in_frigate(settings, faces_of, faceless, tmp_path):
    [script] = [example for example in examples("docs/cameras.md") if "name_people.py" in example.text]
    (tmp_path / "name_people.py").write_text(script.text, "utf-8")
    with serving(settings, port=0) as arcid, frigate({"1.a": faces_of[0], "3.c": faceless}) as (address, labels):
        httpx2.post(f"{arcid}/collections", json={"name": "home"}).raise_for_status()
        person = {"identity_id": "ada", "name": "Ada", "collection": "home"}
        httpx2.post(f"{arcid}/enroll", files={"photos": faces_of[0]}, data=person, timeout=60).raise_for_status()
        command = [sys.executable, tmp_path / "name_people.py", address, arcid, "key", "--once"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["1.a Ada", "3.c unknown"]
    assert {event: label["subLabel"] for event, label in labels.items()} == {"1.a": "Ada"}
