import json
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

WEB = Path(str(files("app"))) / "web"
MODULES = sorted(WEB.glob("*.js"))
LANGUAGES = [each.name for each in sorted((WEB / "messages").iterdir())]
SERVED = [each.name for each in sorted(WEB.iterdir()) if each.is_file()] + [
    f"messages.{each}.json" for each in LANGUAGES
]


def test_the_page_has_strict_headers(client):
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(each.split(" ", 1) for each in answer.headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' blob: data:",
        "connect-src": "'self'",
        "media-src": "'self' blob:",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    assert "camera=(self)" in answer.headers["permissions-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/", *(f"/web/{each}" for each in SERVED)])
def test_every_file_is_served_once_for_each_version(client, path):
    answer = client.get(path)
    assert answer.status_code == 200
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-cache"
    tag = answer.headers["etag"]
    for known in (tag, f'"x", W/{tag}', "*"):
        again = client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(path, headers={"If-None-Match": '"x"'}).content == answer.content
    assert client.head(path).headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("app.js", "text/javascript"),
        ("base.css", "text/css"),
        ("icon.svg", "image/svg+xml"),
        ("messages.de.json", "application/json"),
    ],
)
def test_files_have_their_type(client, name, media_type):
    assert client.get(f"/web/{name}").headers["content-type"].partition(";")[0] == media_type


def test_a_language_is_one_file(client):
    texts = client.get("/web/messages.de.json").json()
    areas = {each.stem: json.loads(each.read_text("utf-8")) for each in (WEB / "messages" / "de").iterdir()}
    assert texts == {f"{area}.{key}": text for area, own in areas.items() for key, text in own.items()}


@pytest.mark.parametrize(
    "path",
    [
        "/web/",
        "/web/messages",
        "/web/messages.xx.json",
        "/web/nothing.js",
        "/web/%2e%2e/config.py",
        "/web/..%2fconfig.py",
    ],
)
def test_nothing_else_is_served(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_page_only_reads(client):
    assert client.post("/").status_code == 405


def test_the_page_is_no_part_of_the_api(client):
    assert not {"/", "/web/{name}"} & set(client.get("/openapi.json").json()["paths"])


def test_nothing_is_inline_and_everything_is_here(client):
    page = client.get("/").text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", page)
    for path in re.findall(r'(?:src|href)="([^"#]+)"', page):
        assert client.get(f"/{path}").status_code == 200
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for reference in re.findall(r'(?:aria-controls|aria-labelledby|aria-describedby|for)="([^"]+)"', page):
        assert reference in ids


@pytest.mark.parametrize("path", sorted(each for each in WEB.rglob("*") if each.is_file()), ids=lambda path: path.name)
def test_no_file_names_another_machine(path):
    addresses = set(re.findall(r"https?://[^\s\"'`)]+|@import", path.read_text("utf-8")))
    assert addresses <= {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_modules_escape_everything_and_import_what_is_there(path):
    text = path.read_text("utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    assert "localStorage" not in text or path.name in {
        "i18n.js",
        "judged.js",
    }  # the language, and findings that are right
    page = (WEB / "index.html").read_text("utf-8")
    for wanted in re.findall(r'byId\("([^"]+)"\)', text):
        assert f'id="{wanted}"' in page
    for names, source in re.findall(r'import \{ ([^}]+) \} from "\./([\w.]+)"', text):
        exported = (WEB / source).read_text("utf-8")
        for name in re.findall(r"(\w+)(?: as \w+)?(?:,|$)", names.strip()):
            assert re.search(rf"export (?:async )?(?:function\*?|const|class|let) {name}\b", exported), name
            assert len(re.findall(rf"\b{name}\b", text)) > 1 or " as " in names, f"{name} is imported for nothing"


def test_modules_are_valid():
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    for path in MODULES:
        subprocess.run([node, "--check", str(path)], check=True, capture_output=True)
