"""The page in a real Chromium, against the real service."""

import json
import re
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest

from tests.end_to_end.browsing import enroll, photo, show

pytestmark = pytest.mark.browser

_DROP = """([selector, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], "dropped.jpg", { type: "image/jpeg" }));
  document.querySelector(selector).dispatchEvent(new DragEvent("drop", { bubbles: true, dataTransfer: data }));
}"""


# Enroll


def test_each_photo_is_enrolled_or_refused_with_its_reason(page, faces_of, faceless, group_photo):
    enroll(page, "eve", faces_of[5], faceless, group_photo, name="Eve")
    accepted, without, several = page.locator("#enroll-list li").all_inner_texts()
    assert re.search(r"Enrolled\s+quality 0\.\d\d", accepted)
    assert "no face" in without
    assert "Several faces" in several
    assert "eve: 1 photo enrolled, 2 refused" in page.locator("#enroll-result").inner_text()


def test_who_looks_like_somebody_else_is_flagged(page, faces_of):
    enroll(page, "again", faces_of[0], faces_of[1])
    first, second = page.locator("#enroll-list li.possible").all_inner_texts()
    assert "looks like p0" in first
    assert "looks like p1" in second
    assert "unlike the other" in first + second


def test_a_lookalike_can_be_refused(page, faces_of):
    show(page, "Enroll")
    page.get_by_label("Looks like somebody else").select_option("reject")
    page.set_input_files("#enroll-photos input", [photo(faces_of[0])])
    page.get_by_role("button", name="Enroll", exact=True).click()
    page.get_by_text("Looks like p0").wait_for()
    assert "duplicate_identity" in page.locator(".problem").inner_text()


def test_nothing_enrolled_says_why_for_each_photo(page, faceless):
    show(page, "Enroll")
    page.set_input_files("#enroll-photos input", [photo(faceless)])
    page.get_by_role("button", name="Enroll", exact=True).click()
    page.locator("#enroll-list li.refused").get_by_text("No face", exact=True).wait_for()
    assert "nothing_enrolled" in page.locator(".problem").inner_text()


def test_enroll_by_drag_and_drop_and_take_one_back(page, faces_of):
    show(page, "Enroll")
    for face in faces_of[4:6]:
        page.evaluate(_DROP, ["#enroll-photos .drop", list(face)])
    page.get_by_role("button", name="Remove dropped.jpg").first.click()
    assert page.locator("#enroll-list li").count() == 1
    page.get_by_role("button", name="Enroll", exact=True).click()
    page.locator("#enroll-result .verdict.match").wait_for()


def test_enroll_by_webcam(page):
    show(page, "Enroll")
    page.locator("#enroll-photos").get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Take the photo").click()
    page.locator("#enroll-list li").wait_for()
    page.get_by_role("button", name="Close the camera").click()
    page.get_by_label("Id yours").fill("eileen")
    page.get_by_role("button", name="Enroll", exact=True).click()
    page.locator("#enroll-result", has_text="eileen: 1 photo enrolled").wait_for()
    assert page.locator("video").count() == 0


# Verify


def verify(page):
    page.get_by_role("button", name="Verify", exact=True).click()
    page.locator("#verify-result .verdict").wait_for()
    return page.locator("#verify-result").inner_text()


def test_verify_two_photos(page, faces_of, group_photo):
    show(page, "Verify")
    page.set_input_files("#verify-probe input", [photo(faces_of[0])])
    assert "Choose the photo to compare with" in verify(page)
    page.set_input_files("#verify-reference input", [photo(faces_of[0])])
    page.locator("#verify-reference-stage .picture").wait_for()
    text = verify(page)
    assert "Both photos show the same person." in text
    assert re.search(r"two different people would look this much alike less than once in \d+ million comparisons", text)
    assert "FMR" not in text
    page.locator("#verify-result summary").click()
    text = page.locator("#verify-result").inner_text()
    assert re.search(r"Similarity\s+1\.00\s+Similarity that makes a match\s+0\.\d\d\s+FMR", text)
    page.set_input_files("#verify-reference input", [photo(faces_of[1])])
    page.locator("#verify-result .verdict").wait_for(state="detached")
    assert "The photos show different people." in verify(page)


def test_verify_a_photo_against_a_person(page, faces_of):
    show(page, "Verify")
    page.set_input_files("#verify-probe input", [photo(faces_of[2])])
    page.get_by_label("an enrolled person").check()
    page.locator("#verify-id").fill("p2")
    assert "This is p2." in verify(page)
    page.locator("#verify-id").fill("p3")
    page.get_by_role("button", name="Verify", exact=True).click()
    page.locator("#verify-result", has_text="This is not p3.").wait_for()
    page.locator("#verify-find").click()
    page.locator(".picks button", has_text="Cora").click()
    page.get_by_role("button", name="Verify", exact=True).click()
    page.locator("#verify-result", has_text="This is Cora.").wait_for()
    page.locator("#verify-id").fill("nobody")
    page.get_by_role("button", name="Verify", exact=True).click()
    page.locator(".problem", has_text="identity_unknown").wait_for()


# Jobs


def test_an_import_over_the_page(page, faces_of, faceless):
    packed = BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr("eve/1.jpg", faces_of[5])
        archive.writestr("eve/2.jpg", faceless)
    show(page, "Jobs")
    page.set_input_files(
        "#import-file", [{"name": "p.zip", "mimeType": "application/zip", "buffer": packed.getvalue()}]
    )
    page.get_by_role("button", name="Start the import").click()
    page.locator(".job.match", has_text="import succeeded: 2 of 2").wait_for()
    page.locator("#import-run", has_text="1 enrolled, 0 known already, 1 refused").wait_for()
    page.get_by_role("button", name="Show 1 refused item").click()
    page.locator(".job .refusals", has_text=re.compile("no face", re.IGNORECASE)).wait_for()
    show(page, "People")
    page.locator("#people-list a", has_text="eve").wait_for()


def job(**changes):
    made = {"job_id": "j1", "kind": "import", "collection": "default", "parameters": {}, "state": "running", "done": 1}
    made |= {"total": 4, "errors": 0, "result": None, "failure": None, "created_by": "anonymous", "attempts": 1}
    made |= {"created_at": "2026-01-01T10:00:00Z", "started_at": None, "finished_at": None}
    return made | changes


def test_a_job_is_watched_and_cancelled(page):
    """Answers like the service's, so that each state is certain to appear."""
    asked: list[str] = []
    jobs: list[dict[str, Any]] = []
    done = job(state="succeeded", done=4, errors=1, result={"photos": 4, "enrolled": 3})
    stream = "".join(
        f"event: {name}\r\ndata: {json.dumps(each)}\r\n\r\n"
        for name, each in (("progress", job(done=2)), ("end", done))
    )

    def answer(route):
        request = route.request
        path = request.url.partition("?")[0].rpartition("/jobs")[2]
        asked.append(f"{request.method} {path}")
        if path.endswith("/events"):
            route.fulfill(body=": hello\n\n" + stream, content_type="text/event-stream")
        elif path.endswith("/errors"):
            refused = {"number": 1, "item": "eve/2.jpg", "code": "no_face", "detail": "no face was found"}
            route.fulfill(json={"errors": [refused], "next_cursor": None})
        elif path.endswith("/cancel"):
            route.fulfill(status=202, json=job(job_id="j2", state="cancelled"))
        else:
            route.fulfill(json={"jobs": jobs, "next_cursor": None})

    page.route(re.compile(r"/jobs(\?|/|$)"), answer)
    show(page, "Jobs")
    page.get_by_text("No job yet.").wait_for()
    jobs.append(job())
    page.get_by_role("button", name="Refresh").click()
    page.locator(".job.match", has_text="import succeeded: 4 of 4").wait_for()
    assert "photos 4, enrolled 3" in page.locator(".job").inner_text()
    page.get_by_role("button", name="Show 1 refused item").click()
    page.locator(".refusals tr", has_text="2.jpg").wait_for()
    jobs[:] = [job(job_id="j2", state="queued", total=None)]
    page.unroute(re.compile(r"/jobs(\?|/|$)"))
    page.route(re.compile(r"/jobs/j2/events"), lambda route: route.fulfill(body="", content_type="text/event-stream"))
    page.route(re.compile(r"/jobs(\?|/j2/cancel|$)"), answer)
    page.get_by_role("button", name="Refresh").click()
    page.locator(".job").get_by_role("button", name="Cancel").click()
    page.locator("#confirm-yes").click()
    page.locator(".job.unknown", has_text="import cancelled").wait_for()
    assert "POST /j2/cancel" in asked


def test_a_service_without_jobs_says_so(page):
    problem = {"title": "Not Found", "status": 404, "detail": "Not Found", "code": "not_found"}
    page.route(re.compile(r"/jobs(\?|$)"), lambda route: route.fulfill(status=404, json=problem))
    show(page, "Jobs")
    page.get_by_text("This service has no jobs.").wait_for()
    assert page.locator(".problem").count() == 0


# Problems


def test_a_problem_is_shown_with_title_detail_and_code(page, faceless, faces_of):
    show(page, "Verify")
    page.set_input_files("#verify-probe input", [photo(faceless)])
    page.set_input_files("#verify-reference input", [photo(faces_of[0])])
    page.locator("#verify-reference-stage .picture").wait_for()
    page.get_by_role("button", name="Verify", exact=True).click()
    shown = page.locator("[aria-live=assertive] .problem")
    shown.wait_for()
    text = shown.inner_text()
    assert text.startswith("No face ")
    assert "no face was found" in text
    assert "no_face" in text
    assert shown.get_by_role("button", name="Try again").count() == 0
    shown.get_by_role("button", name="Dismiss").click()
    assert page.locator(".problem").count() == 0


@pytest.mark.parametrize("is_lost", [True, False])
def test_what_may_pass_is_tried_again_by_hand(page, group_photo, is_lost):
    busy = {"title": "Service Unavailable", "status": 503, "detail": "too many requests wait", "code": "overloaded"}

    def fail(route):
        if is_lost:
            route.abort()
        else:
            route.fulfill(status=503, json=busy, headers={"Retry-After": "7"})

    page.route("**/identify", fail, times=1)
    show(page, "Identify")
    page.set_input_files("#identify-photo input", [photo(group_photo)])
    shown = page.locator(".problem")
    shown.wait_for()
    assert ("unreachable" if is_lost else "asks to wait 7 seconds") in shown.inner_text()
    shown.get_by_role("button", name="Try again").click()
    page.locator("#identify-result h3", has_text="6 faces: 4 known, 2 unknown").wait_for()
    assert page.locator(".problem").count() == 0
