"""CompreFace's published JavaScript client, unmodified, in Node and in a page of another origin in Chromium."""

import base64
import json
import shutil
import subprocess
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.access.keys import NewKey, Scope
from app.cli.demo import serving
from app.config import CorsSettings
from app.container import Container
from tests.end_to_end.packages import node_modules
from tests.end_to_end.test_compreface import altered, error

SOURCE = Path(__file__).parent / "compreface_js"
# The client's imports in a browser, resolved like a bundler by the `browser` fields of their packages.
PAGE = """<!doctype html>
<script src="/node_modules/axios/dist/axios.js"></script>
<script type="importmap">{"imports": {
  "@exadel/compreface-js-sdk": "/node_modules/@exadel/compreface-js-sdk/index.js",
  "axios": "data:text/javascript,export default window.axios",
  "form-data": "data:text/javascript,export default window.FormData",
  "fs": "data:text/javascript,export default {}"
}}</script>
<script type="module">
  import { CompreFace } from "@exadel/compreface-js-sdk";
  import { tour } from "/tour.mjs";
  window.answersOf = async (server, port, key) => {
    const blob = async (name) => (await fetch(`/photos/${name}.jpg`)).blob();
    const [ada, adaToo, bob, faceless] = await Promise.all(["ada", "ada-too", "bob", "faceless"].map(blob));
    const base64 = await (await fetch("/photos/ada.txt")).text();
    return tour(CompreFace, { server, port, key, ada, adaToo, bob, faceless, base64 });
  };
</script>"""

pytestmark = [pytest.mark.network, pytest.mark.browser]


@pytest.fixture(scope="module")
def packages():
    return node_modules(SOURCE, "compreface-node")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, packages, faces_of, faceless):
    """A folder with the client, its tour and the photos."""
    folder = tmp_path_factory.mktemp("compreface-js")
    (folder / "node_modules").symlink_to(packages)
    for name in ("tour.mjs", "node.mjs", "package.json"):
        shutil.copy(SOURCE / name, folder)
    (folder / "index.html").write_text(PAGE)
    photos = folder / "photos"
    photos.mkdir()
    content = {"ada": faces_of[0], "ada-too": altered(faces_of[0]), "bob": faces_of[1], "faceless": faceless}
    for name, photo in content.items():
        (photos / f"{name}.jpg").write_bytes(photo)
    (photos / "ada.txt").write_text(base64.b64encode(faces_of[0]).decode())
    return folder


@contextmanager
def site(folder):
    """Yield the origin of a web server for a folder."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def origin(folder):
    with site(folder) as origin:
        yield origin


@pytest.fixture(scope="module")
def service(settings, origin):
    """Address of a service that allows pages of the origin, and a key."""
    _, key = Container(settings).keys.create(
        NewKey("javascript", [Scope.RECOGNISE, Scope.ENROLL, Scope.MANAGE], ["default"])
    )
    with serving(settings.model_copy(update={"cors": CorsSettings(origins=(origin,))}), port=0) as address:
        yield urlsplit(address), key


def in_node(folder, address, key):
    node = shutil.which("node")
    command = [node, "node.mjs", f"http://{address.hostname}", str(address.port), key]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def in_page(browser, origin, address, key):
    context = browser.new_context()
    context.set_default_timeout(120_000)
    try:
        page = context.new_page()
        page.goto(origin)
        page.wait_for_function("window.answersOf")
        given = [f"http://{address.hostname}", str(address.port), key]
        return page.evaluate("([server, port, key]) => answersOf(server, port, key)", given)
    finally:
        context.close()


@pytest.fixture(params=["node", "chromium"])
def answers(request, folder, service):
    address, key = service
    if request.param == "node":
        return in_node(folder, address, key)
    return in_page(request.getfixturevalue("browser"), request.getfixturevalue("origin"), address, key)


def test_every_method(answers):
    assert answers["addSubject"] == {"subject": "Ada Lovelace"}
    assert error(answers["addSubjectAgain"]) == (43, "identity_exists")
    added = [answers[name] for name in ("addFace", "addBase64", "addOther")]
    assert [each["subject"] for each in added] == ["Ada Lovelace", "Ada Lovelace", "Bob"]
    assert error(answers["addNoFace"]) == (28, "no_face")
    assert answers["faces"]["faces"] == added
    (face,) = answers["recognise"]["result"]
    assert face["subjects"] == [{"subject": "Ada Lovelace", "similarity": pytest.approx(1, abs=0.05)}]
    assert set(face) == {"box", "landmarks", "mask", "pose", "execution_time", "subjects"}  # age is off by default
    assert face["mask"]["value"] == "without_mask"
    assert answers["recogniseBase64"]["result"][0]["subjects"][0]["subject"] == "Ada Lovelace"
    assert error(answers["recogniseNobody"]) == (28, "no_face")
    assert answers["recogniseNobody"]["status"] == 400
    assert set(answers["detect"]) == {"result", "plugins_versions"}
    (pair,) = answers["verify"]["result"]
    assert pair["face_matches"][0]["similarity"] > 0.95
    (pair,) = answers["verifyOther"]["result"]
    assert pair["face_matches"][0]["similarity"] < 0.5
    assert answers["verifyFace"]["result"][0]["subject"] == "Ada Lovelace"
    assert answers["rename"] == {"updated": True}
    assert answers["subjects"] == {"subjects": ["Ada", "Bob"]}
    assert answers["deleteFace"] == {"image_id": added[0]["image_id"], "subject": "Ada"}
    assert answers["deleteSeveral"] == [{"image_id": added[1]["image_id"], "subject": "Ada"}]
    assert answers["deleteOfSubject"] == {"deleted": 1}
    assert answers["deleteSubject"] == {"subject": "Ada"}
    assert error(answers["deleteUnknown"]) == (42, "identity_unknown")
    assert answers["deleteAll"] == answers["deleteAllFaces"] == {"deleted": 0}
    assert error(answers["wrongKey"]) == (10, "key_invalid")


def test_a_page_of_another_origin_is_not_let_in(browser, folder, service):
    address, key = service
    with site(folder) as elsewhere:
        answers = in_page(browser, elsewhere, address, key)
    assert all(not (set(each) - {"status"}) for each in answers.values()), "the page read an answer"
