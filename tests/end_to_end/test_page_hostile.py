"""Markup in all texts of the page: it creates no elements, and no script runs."""

import json
import re
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import httpx2
import pytest

from tests.end_to_end.browsing import enroll, identify, opened, photo, show

pytestmark = pytest.mark.browser

IMAGE = '<img src=x onerror="window.pwned = 1">'
TEXTS = [
    IMAGE,
    '"><script>window.pwned = 1</script>',
    "'-(window.pwned = 1)-'",
    "<svg onload='window.pwned = 1'></svg>",
    "</code></p><iframe srcdoc='<script>parent.pwned = 1</script>'></iframe>",
    "javascript:window.pwned=1",
    "{{constructor.constructor('window.pwned=1')()}}${window.pwned=1}",
]
# Values on which the page branches, which it requests again, or by which it draws.
KEPT = {"state", "verdict", "kind", "next_cursor", "job_id", "face_id", "models", "policy"}
INJECTED = """() => [
  window.pwned,
  document.querySelectorAll("img[src=x], iframe, main script, [onerror], [onload], [href^=javascript]").length,
]"""


def assert_unharmed(page):
    page.wait_for_timeout(100)  # for an onerror that would run later
    assert page.evaluate(INJECTED) == [None, 0]


@pytest.fixture
def hostile_people(address, faces_of):
    """Enroll people whose ids, names and metadata are markup; delete them afterwards."""
    with httpx2.Client(base_url=address, timeout=120) as client:
        for at, text in enumerate(TEXTS):
            metadata = json.dumps({text: {text: [text]}})
            data = {"identity_id": text[:128], "name": text, "metadata": metadata, "on_duplicate": "flag"}
            client.post("/enroll", files={"photos": (text, faces_of[at % 4])}, data=data).raise_for_status()
        yield
        assert client.delete("/api/v1/recognition/subjects").is_success


@pytest.fixture
def hostile_page(browser, address, hostile_people):
    with opened(browser, address) as page:
        page.on("dialog", lambda dialog: pytest.fail(f"a script opened a dialog: {dialog.message}"))
        yield page


def test_people_who_are_markup(hostile_page, faces_of, faceless):
    page = hostile_page
    show(page, "People")
    people = page.locator("#people-list a")
    people.nth(len(TEXTS) - 1).wait_for()
    shown = page.locator("#people-list").inner_text()
    assert all(text in shown for text in TEXTS)
    for at, text in enumerate(TEXTS):
        people.filter(has_text=text).first.click()
        page.locator("#person .cards li").first.wait_for()
        assert page.locator("#person h2").inner_text() == text
        assert any(each in page.locator("#person code").inner_text().replace("\\", "") for each in TEXTS)
        assert_unharmed(page)
        if at == 0:
            page.reload()  # the address holds the markup
            page.locator("#person .cards li").first.wait_for()
            assert_unharmed(page)
            page.get_by_role("button", name="Same person as").click()
            page.locator(".picks button").first.click()
            page.locator(".compare .strip .portrait").nth(1).wait_for()
            assert_unharmed(page)
            page.locator(".compare").get_by_role("button", name="Cancel").click()
            page.get_by_role("button", name="Delete this person").click()
            page.locator(".toast", has_text="onerror").get_by_role("button", name="Undo").click()
            people.nth(len(TEXTS) - 1).wait_for()
        else:
            page.go_back()
    show(page, "Health")
    page.locator("#health-start").click()
    page.locator("#findings", has_text="onerror").wait_for()
    page.get_by_role("button", name="Compare and merge").first.click()
    page.locator(".compare .strip .portrait").nth(1).wait_for()
    assert_unharmed(page)
    page.locator(".compare").get_by_role("button", name="Cancel").click()
    show(page, "People")
    page.locator("#people-q").fill(f"nobody {IMAGE}")
    page.locator("#people-none", has_text="onerror").wait_for()
    assert_unharmed(page)

    identify(page, faces_of[0])
    page.locator("#identify-result", has_text="onerror").or_(
        page.locator("#identify-result", has_text="pwned")
    ).first.wait_for()
    assert_unharmed(page)
    enroll(page, TEXTS[1], faces_of[0], faceless, name=IMAGE)
    page.locator("#enroll-result", has_text="script").wait_for()
    assert_unharmed(page)
    show(page, "Verify")
    page.get_by_label("an enrolled person").check()
    page.locator("#verify-id").fill(f"nobody {IMAGE}")
    page.set_input_files("#verify-probe input", [photo(faces_of[0], f"{IMAGE}.jpg")])
    page.get_by_role("button", name="Verify", exact=True).click()
    page.locator(".problem").first.wait_for()
    assert_unharmed(page)


def test_an_import_whose_file_names_are_markup(hostile_page, faceless):
    page = hostile_page
    packed = BytesIO()
    with ZipFile(packed, "w") as archive:
        for text in TEXTS:
            archive.writestr(f"{text.replace('/', '')}/{text.replace('/', '')}.jpg", faceless)
    show(page, "Jobs")
    zipped = {"name": f"{IMAGE}.zip", "mimeType": "application/zip", "buffer": packed.getvalue()}
    page.set_input_files("#import-file", [zipped])
    page.get_by_role("button", name="Start the import").click()
    page.locator(".job.match, .job.refused, .job.unknown").first.wait_for()
    page.locator("#import-refused", has_text="onerror").wait_for()
    page.get_by_role("button", name=re.compile("Show .* refused")).first.click()
    page.locator(".job .refusals", has_text="onerror").wait_for()
    assert_unharmed(page)


def test_jobs_and_verdicts_that_are_markup_throughout(browser, address, people, faces_of):
    """All texts of an answer: models, codes, details, keys of results, and the owner and failure of a job."""

    def spoiled(value, name=""):
        if isinstance(value, dict):
            keys = {key: f"{key}{IMAGE}" if name in {"metadata", "result", "parameters"} else key for key in value}
            return {keys[key]: spoiled(each, key) for key, each in value.items()}
        if isinstance(value, list):
            return [spoiled(each, name) for each in value]
        return f"{value}{IMAGE}" if isinstance(value, str) and name not in KEPT and not name.endswith("_at") else value

    seen = []

    def answer(route):
        response = route.fetch()
        if "json" not in response.headers.get("content-type", ""):
            route.fulfill(response=response)
            return
        seen.append(route.request.url)
        route.fulfill(response=response, json=spoiled(response.json()))

    failed: dict[str, Any] = {
        "job_id": "j1",
        "kind": "import",
        "collection": "default",
        "parameters": {"a": "b"},
        "state": "failed",
    }
    failed |= {"done": 1, "total": 4, "errors": 1, "result": {"photos": "x"}, "created_by": "me", "attempts": 1}
    failed |= {"failure": {"code": "c", "detail": "d"}, "created_at": "2026-01-01T10:00:00Z"}
    refused = {"number": 1, "item": "i", "code": "c", "detail": "d"}
    with opened(browser, address) as page:
        page.route(re.compile(rf"{re.escape(address)}/(verify|calibration)"), answer)
        page.route(
            re.compile(r"/jobs(\?|/j1/errors)"),
            lambda route: route.fulfill(
                json=spoiled(
                    {"errors": [refused], "next_cursor": None}
                    if "/errors" in route.request.url
                    else {"jobs": [failed], "next_cursor": None}
                )
            ),
        )
        page.reload()
        show(page, "Jobs")
        page.locator(".job", has_text="onerror").wait_for()
        page.get_by_role("button", name="Show 1 refused item").click()
        page.locator(".refusals", has_text="onerror").wait_for()
        assert_unharmed(page)
        show(page, "Verify")
        page.set_input_files("#verify-probe input", [photo(faces_of[0])])
        page.set_input_files("#verify-reference input", [photo(faces_of[0])])
        page.get_by_role("button", name="Verify", exact=True).click()
        page.locator("#verify-result .verdict, .problem").first.wait_for()
        assert_unharmed(page)
    assert any(url.endswith("/verify") for url in seen)
