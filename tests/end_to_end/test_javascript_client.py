"""The packed JavaScript client in Node, in Chromium and in a strict TypeScript project, against a real service."""

import json
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4
from zipfile import ZipFile

import pytest

from app.access.keys import NewKey, Scope
from app.cli.demo import serving
from app.config import PROJECT, CorsSettings
from app.container import Container
from tests.docs import javascript_client
from tests.docs.examples import examples
from tests.end_to_end.packages import node_modules
from tests.end_to_end.test_compreface import altered
from tests.end_to_end.test_compreface_js import site

SOURCE = Path(__file__).parent / "javascript"
EXAMPLES = examples("docs/javascript.md")
PHOTOS = ["ada.jpg", "ada-too.jpg", "bob.jpg", "faceless.png", "staff.zip"]

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def packages():
    return node_modules(PROJECT / "clients" / "javascript", "javascript-client")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, packages, faces_of, faceless, group_photo):
    """A project that has installed the packed client, with the photos of the tour."""
    folder = tmp_path_factory.mktemp("javascript")
    output([PROJECT / ".ci" / "javascript", folder, packages], folder)
    for each in SOURCE.iterdir():
        shutil.copy(each, folder)
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    output(["npm", "install", "--offline", "--no-audit", "--no-fund", *folder.glob("*.tgz")], folder)
    (folder / "node_modules" / "@types").symlink_to(packages / "@types")
    (folder / "node_modules" / "undici-types").symlink_to(packages / "undici-types")
    photos = [faces_of[0], altered(faces_of[0]), faces_of[1], faceless]
    for name, content in zip(PHOTOS, photos, strict=False):
        (folder / name).write_bytes(content)
    for name, content in {"ada-1": 0, "ada-2": 1, "visitor": 1, "landscape": 3}.items():
        (folder / f"{name}.jpg").write_bytes(photos[content])
    (folder / "party.jpg").write_bytes(group_photo)
    with ZipFile(folder / "staff.zip", "w") as archive:
        archive.writestr("ada/1.jpg", faces_of[0])
        archive.writestr("cup/1.png", faceless)
    return folder


@contextmanager
def service(settings, origins=()):
    """Yield the address of a service that allows pages of the origins, and a key."""
    changed = settings.model_copy(update={"cors": CorsSettings(origins=tuple(origins))})
    _, key = Container(changed).keys.create(NewKey(f"javascript-{uuid4()}", list(Scope)))
    with serving(changed, port=0) as address:
        yield address, key


def output(command, folder) -> str:
    """Return what a program prints, without settings of the caller."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ARCID_")}
    done = subprocess.run(command, cwd=folder, env=plain, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def in_node(folder, settings):
    with service(settings) as (address, key):
        return json.loads(output(["node", "in_node.mjs", address, key], folder))


def test_the_tour_in_node(in_node):
    check(in_node)
    assert in_node["missing"] == "ENOENT"


def check(seen):
    """Check what a tour saw."""
    assert (seen["ready"], seen["models"], seen["calibration"]) == ("ready", True, True)
    assert seen["enrolled"] == [1, ["no_face"]]
    check_errors(seen)
    assert seen["identified"] == [["match", "ada/1"]]
    assert seen["many"] == [[["match", "ada/1"]], [["match", "bob"]]]
    assert seen["verified"] == ["match", "match", "no_match"]
    assert (seen["detected"], seen["searched"]) == (1, "ada/1")
    assert (seen["judged"], seen["used"]) == (["uncertain", ["not_an_image"] * 2], "challenge_used")
    assert seen["renamed"] == ["Ada Lovelace", {}, True]
    assert seen["people"] == ["ada/1", "bob"]
    assert seen["image"] == ["image/jpeg", [0xFF, 0xD8]]
    assert (seen["embedded"], seen["moved"], seen["merged"], seen["exported"]) == (128, 1, 2, 2)
    assert seen["settings"] == ["reject", True]
    assert seen["parts"] == [10_000, True, True]
    assert seen["statistics"] > 0
    assert seen["job"] == ["succeeded", 1]
    assert seen["failures"] == ["no_face"]
    assert bytes(seen["archive"]) == b"PK"
    assert (seen["health"], seen["migration"]) == (1, 1)
    assert (seen["receipt"], seen["collections"]) == ("complete", ["default"])
    assert seen["key"] == [["recognise"], True, "revoked", "revoked"]
    assert seen["audit"][0] == seen["audit"][1] != ""
    assert seen["audit"][2]
    assert seen["backup"] == [[*b"PK"], 0]


def check_errors(seen):
    for name, status, code in [
        ("refused", 422, "nothing_enrolled"),
        ("invalid", 422, "request_invalid"),
        ("unknown", 404, "identity_unknown"),
        ("keyless", 401, "key_invalid"),
        ("stale", 412, "precondition_failed"),
        ("duplicate", 409, "duplicate_identity"),
        ("unreadable", 422, "import_invalid"),
    ]:
        error = seen[name]
        assert (error["name"], error["status"], error["code"]) == ("ArcidError", status, code)
        assert error["hasId"]
    assert "photo 0: " in seen["refused"]["message"]
    assert seen["refused"]["rejected"][0]["code"] == "no_face"
    assert seen["invalid"]["errors"][0]["field"] == "top_k"
    assert seen["duplicate"]["duplicates"][0]["identity_id"] == "ada"


@pytest.mark.browser
def test_the_tour_in_a_page_of_another_origin(folder, settings, browser, tmp_path):
    shutil.copytree(folder / "node_modules" / "arcid-client", folder / "arcid-client")
    with site(folder) as origin, service(settings, [origin]) as (address, key):
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(f"{origin}/page.html")
        page.set_input_files("input", [folder / each for each in PHOTOS])
        seen = page.evaluate("([address, key]) => toured(address, key)", [address, key])
        page.close()
    check(seen)
    assert (seen["pixels"], seen["list"], seen["path"]) == (1, 2, "TypeError")


@pytest.fixture(scope="module")
def documented(folder, settings):
    """The output of all examples of the documentation, which run as one program."""
    told = "\n".join(each.text for each in EXAMPLES if each.language == "js")
    with service(settings) as (address, key):
        program = told.replace('"http://localhost:8000"', json.dumps(address))
        (folder / "documented.mjs").write_text(f'process.env.ARCID_API_KEY = "{key}";\n{program}')
        return output(["node", "documented.mjs"], folder)


def test_the_documentation_in_node(documented, folder):
    assert documented.startswith("2 faces enrolled, 0 photos rejected\nmatch ")
    assert "] Ada " in documented
    assert "ada Ada Lovelace 2" in documented
    assert "cup/1.png no_face" in documented
    assert "nothing_enrolled" in documented
    assert (folder / "staff-archive.zip").read_bytes().startswith(b"PK")


@pytest.mark.browser
def test_the_documentation_in_a_page(documented, folder, settings, browser):
    expect = pytest.importorskip("playwright.sync_api").expect
    [html] = [each.text for each in EXAMPLES if each.language == "html"]
    shutil.copytree(folder / "node_modules" / "arcid-client" / "dist", folder / "site" / "arcid-client")
    with site(folder / "site") as origin, service(settings, [origin]) as (address, key):
        (folder / "site" / "index.html").write_text(html.replace("https://faces.example.com", address))
        page = browser.new_page()
        page.goto(origin)
        page.fill("#key", key)
        for name, answer in {"visitor.jpg": "match Ada Lovelace", "staff.zip": "422 not_an_image"}.items():
            page.set_input_files("#photo", folder / name)
            expect(page.locator("#answer")).to_contain_text(answer)
        page.close()


def test_the_documentation_in_typescript(folder, packages):
    for number, each in enumerate(each for each in EXAMPLES if each.language == "ts"):
        (folder / f"documented{number}.ts").write_text(each.text)
        options = ["--strict", "--noEmit", "--target", "es2022", "--module", "nodenext"]
        output([packages / ".bin" / "tsc", *options, f"documented{number}.ts"], folder)


def test_a_strict_project_compiles(folder, packages):
    output([packages / ".bin" / "tsc"], folder)


def test_retries_errors_and_timeouts(folder):
    output(["node", "--test", "behaviour.test.mjs"], folder)


def test_every_route_has_a_method_and_every_method_a_route(folder):
    routes = {
        (method.upper(), re.sub(r"\{\w+\}", "x", path))
        for path, methods in json.loads(javascript_client.DOCUMENT.read_text("utf-8"))["paths"].items()
        for method in methods
    }
    assert {tuple(each) for each in json.loads(output(["node", "requests.mjs"], folder))} == routes
