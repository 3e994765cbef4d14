"""The script that brings photos over from CompreFace (docs/compreface.md), against a stand-in for CompreFace."""

import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler

import httpx2
import pytest

from app.cli.demo import serving
from tests.docs.examples import examples
from tests.docs.stand_ins import StandIn, served

KEY = "theirs"
FACES = "/api/v1/recognition/faces"


@pytest.fixture
def compreface(faces_of):
    """Return the address of what lists two people on two pages and hands out their photos, as CompreFace does."""
    photos = {"1": ("Ada", faces_of[0]), "2": ("Bob", faces_of[1])}

    class CompreFace(StandIn, BaseHTTPRequestHandler):
        def do_GET(self):
            assert self.headers["x-api-key"] == KEY
            path, _, query = self.path.partition("?")
            if path == FACES:
                number, (subject, _) = list(photos.items())["page=1" in query]
                faces = [{"image_id": number, "subject": subject}]
                content = json.dumps({"faces": faces, "total_pages": len(photos)}).encode()
            else:
                content = photos[path.removeprefix(f"{FACES}/").removesuffix("/img")][1]
            self.reply(content)

    with served(CompreFace) as address:
        yield address


def test_people_move(compreface, settings, tmp_path):
    [script] = [each for each in examples("docs/compreface.md") if "move.py" in each.text]
    (tmp_path / "move.py").write_text(script.text, "utf-8")
    with serving(settings, port=0) as address:
        command = [sys.executable, tmp_path / "move.py", compreface, KEY, address, "ours"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        people = httpx2.get(f"{address}/collections/default/identities").json()["identities"]
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["Ada", "Bob"]
    assert [(each["identity_id"], each["faces"]) for each in people] == [("Ada", 1), ("Bob", 1)]
