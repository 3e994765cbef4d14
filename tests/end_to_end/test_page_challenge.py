"""The liveness challenge in a real Chromium, whose camera shows a still photo that is moved by hand."""

import cv2
import numpy as np
import pytest
from liveness_motion import tilted, turning
from playwright.sync_api import expect
from sqlalchemy import text

from app.database.engine import open_engine
from app.wiring.storage import database_url
from tests.end_to_end.browsing import beyond_the_edge, chromium, opened, show

pytestmark = pytest.mark.browser
_VIOLATIONS = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  return found.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(" | ")}`);
}"""
_SLOW_CAMERA = """() => {
  const media = navigator.mediaDevices, open = media.getUserMedia.bind(media);
  window.streams = [];
  media.getUserMedia = async (wishes) => {
    streams.push(await open(wishes));
    await new Promise((resolve) => { window.allowCamera = resolve; });
    return streams.at(-1);
  };
}"""
_ARE_RELEASED = "() => streams.every((stream) => stream.getTracks().every((track) => track.readyState === 'ended'))"
_FRAMES = 700  # more than the check takes at 30 a second, so that none is seen twice


@pytest.fixture(scope="module")
def browser(tmp_path_factory, portrait):
    """A Chromium whose camera shows the portrait, turned and shifted by hand; skips without Chromium or Playwright."""
    pixels = cv2.imdecode(np.frombuffer(portrait, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    small = np.asarray(cv2.resize(pixels, (384, 384), interpolation=cv2.INTER_AREA), np.uint8)
    frames = tmp_path_factory.mktemp("camera") / "moved.mjpeg"
    with frames.open("wb") as file:
        for number in range(_FRAMES):
            yaw, pitch, roll = np.radians([30, 15, 10]) * np.sin(number / np.array([17, 23, 41]))
            view = tilted(small, turning(yaw, pitch, roll), 2, 1 + 0.2 * np.sin(number / 29))
            file.write(cv2.imencode(".jpg", view)[1].tobytes())
    with chromium(frames) as browser:
        yield browser


@pytest.fixture
def database(settings):
    """The database; it forgets the frames of earlier tests, which the camera shows again."""
    engine = open_engine(database_url(settings))
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM liveness_frames"))
    yield engine
    engine.dispose()


def start(page, tab="Verify", button="Start the check"):
    show(page, tab)
    page.get_by_role("button", name=button).click()


def test_a_still_photo_does_not_pass(page, database):
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "liveness" in request.url else None)
    start(page)
    expect(page.locator("#challenge-view .verdict")).to_have_text("Look straight into the camera")
    expect(page.locator("#challenge-view .verdict")).to_contain_text("1 of 3: ")
    expect(page.locator("#status")).to_contain_text("3 of 3: ")  # for screen readers, too
    verdict = page.locator("#challenge-result .verdict")
    verdict.wait_for()
    assert verdict.inner_text() in {"This is not certain.", "This is an attack."}
    assert "Not every prompt was followed." in page.locator("#challenge-result").inner_text()
    assert page.locator("#challenge-result li", has_text="✗").count() >= 2
    assert len(asked) == 2
    expect(page.locator("video")).to_have_count(0)
    assert page.get_by_role("button", name="Start the check").is_visible()


def test_an_expired_challenge_is_named(page, database):
    def expire(route):
        answer = route.fetch()
        with database.begin() as connection:
            connection.execute(text("UPDATE liveness_challenges SET expires_at = created_at"))
        route.fulfill(response=answer)

    page.route("**/liveness/challenges", expire)
    start(page)
    expect(page.locator("#problems")).to_contain_text("The challenge has expired")
    assert page.locator("#challenge-result").inner_text() == ""


def test_a_challenge_ends_with_its_tab_or_by_hand(page):
    for leave in (lambda: show(page, "People"), lambda: page.get_by_role("button", name="Close the camera").click()):
        start(page)
        expect(page.locator("#challenge-view .verdict")).to_have_text("Look straight into the camera")
        leave()
        expect(page.locator("video")).to_have_count(0)
        expect(page.locator("#problems")).to_be_empty()


def test_the_focus_moves_to_the_camera_and_back(page):
    start(page)
    expect(page.get_by_role("button", name="Close the camera")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Start the check")).to_be_focused()


@pytest.mark.parametrize(("tab", "button"), [("Verify", "Start the check"), ("Enroll", "Use the camera")])
def test_a_camera_that_opens_after_its_tab_is_left_is_released(page, tab, button):
    page.evaluate(_SLOW_CAMERA)
    start(page, tab, button)
    page.wait_for_function("() => window.allowCamera")
    show(page, "People")
    page.evaluate("allowCamera()")
    page.wait_for_function(_ARE_RELEASED)
    expect(page.locator("video")).to_have_count(0)
    expect(page.locator("#problems")).to_be_empty()


@pytest.mark.usefixtures("people", "database")
def test_a_challenge_has_no_violation_on_a_phone(browser, address, axe):
    with opened(browser, address, width=320, locale="de-DE") as page:
        page.evaluate(axe)
        start(page, "Vergleichen", "Prüfung starten")
        expect(page.locator("#challenge-view .verdict")).to_contain_text("1 von 3")
        assert page.evaluate(_VIOLATIONS) == []
        assert beyond_the_edge(page) == []
        page.locator("#challenge-result .verdict").wait_for()
        assert page.evaluate(_VIOLATIONS) == []
        assert beyond_the_edge(page) == []
