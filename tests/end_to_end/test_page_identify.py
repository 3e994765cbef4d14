"""The tab Identify in a real Chromium: answers in plain words, and what can follow an unknown face."""

import re
import time

import cv2
import httpx2
import numpy as np
import pytest
from playwright.sync_api import expect

from tests.end_to_end.browsing import enroll, identify, opened, photo, show

pytestmark = pytest.mark.browser

_PAINTED = """() => {
  const canvas = document.querySelector(".picture canvas");
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return pixels.some((value) => value > 0);
}"""
_HIDE = """() => {
  Object.defineProperty(document, "hidden", { value: true, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_one_face_is_answered_in_plain_words_and_figures_come_on_request(page, faces_of):
    identify(page, faces_of[0])
    assert page.locator("#identify-result h3").inner_text() == "This is Ada."
    text = page.locator("#identify").inner_text()
    assert re.search(r"A stranger would look this much like one of your 4 people less than once in \d+ million", text)
    assert not re.search("FPIR|FMR|similarity|threshold", text)
    page.get_by_text("How sure is that?").click()
    seen = r"similarity 1\.00 · quality 0\.\d\d; lowest: .+ of 100"
    rates = r"\s+strangers this similar to anyone here: below 1 in .+ million \(FPIR\); to this person: .+ \(FMR\)"
    assert re.search(seen + rates, page.locator("#sure-faces").inner_text())


def test_a_group_is_answered_face_by_face_and_drawn(page, group_photo):
    identify(page, group_photo)
    assert page.locator("#identify-result h3").inner_text() == "6 faces: 4 known, 2 unknown"
    assert "This is Ada." in page.locator("#identify-result .match:has(b:text-is('Ada'))").inner_text()
    assert page.locator("#identify-result .unknown").count() == 2
    assert page.locator("#identify-result .unknown canvas").count() == 2
    assert page.evaluate(_PAINTED)


def test_a_possible_match_says_what_is_in_doubt(page, faces_of):
    def doubted(route):
        answer = route.fetch().json()
        (face,) = answer["faces"]
        face |= {"verdict": "possible", "low_quality": True}
        face["quality"]["hints"] = ["turn the head to the camera"]
        face["candidates"][0] |= {"fpir": 0.002, "fpir_range": [0.001, 0.004]}
        route.fulfill(json=answer)

    page.route("**/identify", doubted)
    identify(page, faces_of[0])
    assert page.locator("#identify-result h3").inner_text() == "This may be Ada."
    text = page.locator("#identify-result .possible").inner_text()
    assert "like one of your 4 people about once in 500 lookups." in text
    assert "The face is hard to recognize in this photo: turn the head to the camera." in text
    assert page.locator("#identify-result .begin").count() == 1


def test_a_verdict_on_liveness_is_said_in_words(page, faces_of):
    reasons = ["regular_pattern", "network"]
    attack = {"score": 0.05, "verdict": "attack", "reasons": reasons, "calibration": "uncalibrated"}
    changes: list[dict[str, object]] = [
        {"liveness": attack},
        {"liveness": attack, "verdict": "unknown", "candidates": []},
    ]

    def judged(route):
        answer = route.fetch().json()
        answer["faces"][0] |= changes.pop(0)
        route.fulfill(json=answer)

    page.route("**/identify", judged)
    for heading in ("This is Ada.", "This is nobody enrolled here."):
        identify(page, faces_of[0])
        assert page.locator("#identify-result h3").inner_text() == heading
        badge = page.locator("#identify-result .liveness.attack")
        assert badge.inner_text() == "Print or screen: pattern of a screen or print, looks recorded (not calibrated)"
    text = page.locator("#identify-result .face").inner_text()
    assert "Refused, because this seems to be a print or a screen, not a person." in text


def test_a_photo_without_faces_is_an_ordinary_result(page, faceless):
    identify(page, faceless)
    assert page.locator("#identify-result h3").inner_text() == "No face was found."
    assert page.locator(".problem").count() == 0


def test_the_slider_shows_rates_and_decides_anew(page, group_photo):
    identify(page, group_photo)
    page.get_by_text("How sure is that?").click()
    facts = page.locator("#threshold-facts dd")
    expect(facts.nth(2)).to_have_text("4 of 6")
    page.locator("#threshold").focus()
    before = page.locator("#threshold-value").inner_text()
    page.keyboard.press("End")
    matched = int(facts.nth(2).inner_text().removesuffix(" of 6"))
    assert matched < 4  # a photo compared with itself may reach 1
    summary = f"6 faces: {matched} known, {6 - matched} unknown" if matched else "6 faces: 6 unknown"
    assert page.locator("#identify-result h3").inner_text() == summary
    assert facts.nth(0).inner_text() == "below 1 in 10 million"
    assert "similarity 1.000" in page.locator("#threshold").get_attribute("aria-valuetext")
    page.keyboard.press("Home")
    assert facts.nth(1).inner_text() == "100%"
    page.get_by_role("button", name="Back to the collection").click()
    assert page.locator("#identify-result h3").inner_text() == "6 faces: 4 known, 2 unknown"
    assert page.locator("#threshold-value").inner_text() == before
    assert page.locator("#curve polyline").count() == 2


def test_the_curves_before_adaptation_are_drawn_and_said(page, group_photo):
    text = page.locator("#threshold-people")
    identify(page, group_photo)
    page.get_by_text("How sure is that?").click()
    expect(text).to_contain_text("not on the people of this collection")

    def adapted(route):
        answer = route.fetch().json()
        for each in answer["points"]:
            each |= {"fitted_fmr": each["fmr"] / 3, "fitted_fpir": each["fpir"] / 3}
        answer["calibration"] |= {"adapted": {"version": 3, "people": 412, "at": "2026-11-29T03:00:00Z"}}
        answer["move"] = {"probes": 60, "shift": 0.04, "stretch": 1.1, "is_converged": True}
        answer["move"] |= {"threshold_before": 0.424, "threshold_after": 0.47}
        route.fulfill(json=answer)

    page.route("**/calibration?*", adapted)
    page.reload()
    expect(page.locator("#curve polyline")).to_have_count(4)
    expect(text).to_contain_text("adapted to 412 people and 60 searched faces of this collection (version 3")
    expect(text).to_contain_text("a similarity of 0.470 is needed instead of 0.424")


def test_the_live_camera_names_who_it_sees_one_request_at_a_time(page, portrait):
    enroll(page, "eileen", portrait, name="Eileen Collins")
    open_now, most, asked = set(), 0, 0

    def begun(request):
        nonlocal most, asked
        if request.url.endswith("/identify"):
            open_now.add(request)
            most, asked = max(most, len(open_now)), asked + 1

    def ended(request):
        open_now.discard(request)

    page.on("request", begun)
    page.on("requestfinished", ended)
    page.on("requestfailed", ended)
    show(page, "Identify")
    page.get_by_role("button", name="Live camera").click()
    page.locator("#identify-result h3", has_text="This is Eileen Collins.").wait_for()
    begin, before = time.monotonic(), asked
    while asked < before + 2:
        assert time.monotonic() < begin + 60
        page.wait_for_timeout(200)
    assert most == 1
    assert time.monotonic() > begin + 0.9  # two more frames, about a second apart
    assert page.evaluate(_PAINTED)
    page.evaluate(_HIDE)
    expect(page.locator("video")).to_have_count(0)
    stopped = asked
    page.wait_for_timeout(1500)
    assert asked == stopped


def test_the_live_camera_is_stopped_by_hand_and_by_another_tab(page):
    for leave in (
        lambda: page.get_by_role("button", name="Stop the camera").click(),
        lambda: show(page, "Verify"),
    ):
        show(page, "Identify")
        page.get_by_role("button", name="Live camera").click()
        page.locator("#identify-result h3").wait_for()
        leave()
        expect(page.locator("video")).to_have_count(0)


def test_a_picture_of_the_live_camera_is_kept(page, portrait):
    page.get_by_role("button", name="Live camera").click()
    page.locator("#identify-result h3").wait_for()
    assert page.locator("#identify-result .begin").count() == 0  # the next frame would take the name field away
    page.get_by_role("button", name="Keep this picture").click()
    expect(page.locator("video")).to_have_count(0)
    page.locator("#identify-result .begin").wait_for()
    assert page.locator("#identify-stage img").count() == 1


# An unknown face


def click_on_face(page, at):
    """Click in the middle of the box of a face, on the picture."""
    box = page.evaluate(
        """(at) => document.querySelector(`#identify-result [data-face="${at}"]`).dataset.box.split(" ").map(Number)""",
        at,
    )
    shown = page.locator("#identify-stage img")
    wide, across = shown.evaluate("(img) => [img.naturalWidth, img.clientWidth]")
    scale = across / wide
    shown.click(position={"x": (box[0] + box[2]) / 2 * scale, "y": (box[1] + box[3]) / 2 * scale}, force=True)


def unknown_places(page):
    return page.locator("#identify-result .unknown").evaluate_all("(all) => all.map((each) => each.dataset.face)")


def people_of(address):
    return httpx2.get(f"{address}/collections/default/identities").json()["identities"]


def test_from_unknown_to_named_in_two_clicks_and_back(page, address, group_photo):
    identify(page, group_photo)
    first, second = unknown_places(page)
    click_on_face(page, first)  # the first click
    page.keyboard.type("Eve")
    page.get_by_role("button", name="Enroll", exact=True).click()  # the second
    page.locator("#identify-result .note", has_text="Eve is enrolled with this face.").wait_for()
    page.locator(f"#identify-result .match[data-face='{first}'] b", has_text="Eve").wait_for()
    assert page.locator("#identify-result h3").inner_text() == "6 faces: 5 known, 1 unknown"
    assert unknown_places(page) == [second]
    assert "one of your 5 people" in page.locator("#identify-result").inner_text()
    assert "Eve" in str(people_of(address))
    page.locator("#identify-result .note").get_by_role("button", name="Undo").click()
    page.locator("#identify-result h3", has_text="6 faces: 4 known, 2 unknown").wait_for()
    assert "Eve" not in str(people_of(address))


def test_a_face_is_added_to_somebody_by_their_face(page, address, group_photo):
    identify(page, group_photo)
    place = unknown_places(page)[0]
    page.locator(f"[data-face='{place}']").get_by_role("button", name="Add to a person").click()
    people = page.locator(".picks button")
    people.nth(3).wait_for()
    assert "similarity" in people.first.inner_text()
    people.filter(has_text="Cora").click()
    page.locator("#identify-result .note", has_text="Cora is enrolled with this face.").wait_for()
    assert "unlike their other faces" in page.locator("#identify-result .note").inner_text()
    assert {each["identity_id"]: each["faces"] for each in people_of(address)}["p2"] == 2


def test_a_newcomer_is_named_with_the_keyboard_alone(page, faces_of):
    identify(page, faces_of[5])
    assert page.locator("#identify-result h3").inner_text() == "This is nobody enrolled here."
    page.locator("#identify-photo button").first.focus()
    while page.evaluate("document.activeElement.textContent") != "New person":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # no name yet
    page.keyboard.type("Finn")
    page.keyboard.press("Enter")
    page.locator("#identify-result h3", has_text="This is Finn.").wait_for()
    assert page.evaluate("document.activeElement.textContent").startswith("Finn is enrolled")


def test_a_face_is_ignored_and_shown_again(page, group_photo):
    identify(page, group_photo)
    page.locator("#identify-result .unknown").first.get_by_role("button", name="Ignore").click()
    expect(page.locator("#identify-result h3")).to_have_text("5 faces: 4 known, 1 unknown")
    expect(page.locator("#identify-result h3")).to_be_focused()
    page.get_by_text("1 face ignored").wait_for()
    page.get_by_role("button", name="Show again").click()
    expect(page.locator("#identify-result h3")).to_have_text("6 faces: 4 known, 2 unknown")


def test_a_refused_newcomer_says_why(page, group_photo):
    refusal = {"title": "Unprocessable Content", "status": 422, "detail": "too blurred", "code": "low_quality"}
    page.route("**/enroll", lambda route: route.fulfill(status=422, json=refusal))
    identify(page, group_photo)
    page.locator("#identify-result .begin").first.click()
    page.keyboard.type("Eve")
    page.keyboard.press("Enter")
    page.locator(".problem", has_text="too blurred").wait_for()
    assert page.get_by_role("textbox", name="Name", exact=True).input_value() == "Eve"


def test_the_first_person_of_an_empty_collection(page, address, faces_of):
    httpx2.post(f"{address}/collections", json={"name": "fresh"}).raise_for_status()
    page.reload()
    page.locator("#collection-list").select_option("fresh")
    page.get_by_text("Nobody is enrolled here yet.").wait_for()
    identify(page, faces_of[0])
    assert not page.get_by_text("Nobody is enrolled here yet.").is_visible()
    assert "Nobody is enrolled yet. Start with this face." in page.locator("#identify-result").inner_text()
    page.locator("#identify-result .begin").click()
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    page.locator("#identify-result h3", has_text="This is Ada.").wait_for()
    assert "like the one person enrolled here" in page.locator("#identify-result").inner_text()
    httpx2.delete(f"{address}/collections/fresh").raise_for_status()


# Several photos


def test_several_photos_are_looked_up_two_at_a_time(page, faces_of, faceless):
    open_now, most = set(), 0

    def begun(request):
        nonlocal most
        if request.url.endswith("/identify"):
            open_now.add(request)
            most = max(most, len(open_now))

    def ended(request):
        open_now.discard(request)

    page.on("request", begun)
    page.on("requestfinished", ended)
    contents = [*faces_of[:4], faces_of[5], faceless]
    page.set_input_files("#identify-photo input", [photo(each, f"{at}.jpg") for at, each in enumerate(contents)])
    entries = page.locator("#recent-list button")
    told = ["Ada", "Bob", "Cora", "Dan", "Unknown", "No face"]
    expect(entries).to_have_text([re.compile(f"^{words}, {at}.jpg") for at, words in enumerate(told)])
    assert most == 2
    assert page.locator("#identify-result h3").inner_text() == "This is Ada."
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    entries.nth(3).click()
    page.locator("#identify-result h3", has_text="This is Dan.").wait_for()
    assert entries.nth(3).get_attribute("aria-current") == "true"
    assert not any("identify" in url for url in asked)
    assert page.evaluate("Object.keys(sessionStorage).concat(Object.keys(localStorage))") == []
    page.get_by_role("button", name="Clear").click()
    assert page.locator("#recent").is_hidden()
    assert page.locator("#identify-result").inner_text() == ""


def test_a_crowd_among_several_photos_is_told_in_three_parts(page, faces_of, group_photo):
    page.set_input_files("#identify-photo input", [photo(faces_of[0], "ada.jpg"), photo(group_photo, "group.jpg")])
    named = r"^(Ada|Bob|Cora|Dan), (Ada|Bob|Cora|Dan),? and 4 others, group.jpg"
    expect(page.locator("#recent-list button").nth(1)).to_have_text(re.compile(named))


def test_one_broken_photo_among_several(page, faces_of):
    page.set_input_files("#identify-photo input", [photo(faces_of[1], "bob.jpg"), photo(b"no photo", "broken.jpg")])
    entries = page.locator("#recent-list button")
    expect(entries).to_have_text([re.compile("Bob"), re.compile("Not looked up")])
    assert page.locator(".problem").count() == 0
    entries.nth(1).click()
    page.locator(".problem", has_text="not_an_image").wait_for()
    entries.nth(0).click()
    page.locator("#identify-result h3", has_text="This is Bob.").wait_for()
    expect(page.locator(".problem")).to_have_count(0)


# The rule


def rule_of(address):
    found = httpx2.get(f"{address}/collections/default").json()
    return found["threshold"], found["max_fpir"]


def test_the_slider_becomes_the_collections_rule(page, address, group_photo):
    identify(page, group_photo)
    page.get_by_text("How sure is that?").click()
    save = page.get_by_role("button", name="Save as the collection")
    expect(save).to_be_disabled()
    page.locator("#threshold").fill("0.45")
    save.click()
    page.get_by_label(re.compile("Strangers match about once in")).check()
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text(re.compile(r"Saved. A match now needs a similarity of 0.4[45]")).wait_for()
    threshold, max_fpir = rule_of(address)
    assert threshold is None
    assert 0 < max_fpir < 0.01
    page.locator("#threshold").fill("1")
    save.click()
    assert page.get_by_label(re.compile("Strangers match")).count() == 0  # no such rate can be stated
    page.get_by_label(re.compile("A similarity of 1.000")).check()
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Saved. A match now needs a similarity of 1.000.").wait_for()
    assert rule_of(address) == (1, None)
    page.locator("#threshold").fill("0.3")
    save.click()
    page.get_by_role("button", name="Cancel").click()
    assert rule_of(address) == (1, None)
    save.click()
    page.get_by_label(re.compile("The service.s default")).check()
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text(re.compile("Saved. A match now needs a similarity of 0")).wait_for()
    assert rule_of(address) == (None, None)


# Numbers and labels


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        ((1e-7, (0, 1e-7)), "less than once in 10 million lookups"),
        ((1e-12, (0, 1e-12)), "less than once in 10 million lookups"),  # nothing below the stated floor
        ((1e-7, (0, 8.4e-7)), "less than once in 1 million lookups"),
        ((2.5e-5, (1e-5, 6e-5)), "about once in 40,000 lookups"),
        ((0.0487, (0.03, 0.06)), "about once in 20 lookups"),
        ((0.28, (0.2, 0.4)), "in about 28% of lookups"),
    ],
)
def test_rates_in_words(page, rate, words):
    said = """async ([value, range]) => (await import("/web/numbers.js")).often(value, range, "lookups")"""
    assert page.evaluate(said, rate) == words


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("de-DE", ["etwa einmal in 40.000 Suchen", "seltener als einmal in 10 Millionen Suchen"]),
        ("en-DE", ["about once in 40.000 lookups", "less than once in 10 million lookups"]),
        (
            "fr-FR",
            [
                "environ une fois sur 40\N{NARROW NO-BREAK SPACE}000 recherches",
                "moins d\N{RIGHT SINGLE QUOTATION MARK}une fois sur 10 millions de recherches",
            ],
        ),
        ("zh-CN", ["约每 40,000 次识别出现 1 次", "每 1000万 次识别不到 1 次"]),
    ],
)
def test_numbers_follow_the_users_language_and_region(browser, address, people, locale, words):
    with opened(browser, address, locale=locale) as page:
        numbers = """async () => {
          const { often, similarity } = await import("/web/numbers.js");
          return [often(2.5e-5, null, "lookups"), often(1e-12, [0, 1e-12], "lookups"), similarity(-0.5)];
        }"""
        said = page.evaluate(numbers)
        decimal = "." if locale == "zh-CN" else ","
        assert said == [*words, f"\N{MINUS SIGN}0{decimal}50"]


_LABELS = """async ([boxes, width, height]) => {
  const { labels } = await import("/web/drawing.js");
  const pen = document.createElement("canvas").getContext("2d");
  const texts = boxes.map((_, at) => [String(at + 1)]);
  return labels(pen, texts, boxes, { width, height, family: "sans-serif", size: 11, line: 12, pad: 3 });
}"""


def test_numbers_in_a_crowd_cover_neither_faces_nor_each_other(page):
    boxes = [[x * 60 + 15, y * 70 + 20, x * 60 + 45, y * 70 + 58] for y in range(4) for x in range(10)]
    labels = page.evaluate(_LABELS, [boxes, 620, 300])
    places = [*boxes, *(each["place"] for each in labels)]
    overlapping = [
        (one, other)
        for at, one in enumerate(places)
        for other in places[at + 1 :]
        if one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
    ]
    assert overlapping == []


def _tile(content):
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return cv2.resize(pixels, (150, 190))


def test_a_crowd_is_numbered(page, faces_of):
    tiles = [_tile(each) for each in faces_of]
    crowd = np.vstack([np.hstack(tiles), np.hstack(tiles[::-1])])
    identify(page, cv2.imencode(".jpg", crowd)[1].tobytes())
    faces = page.locator("#identify-result [data-face]")
    assert faces.count() >= 10
    numbers = [text.split(".")[0] for text in faces.locator(".told").all_inner_texts()]
    assert numbers == [str(at + 1) for at in range(faces.count())]
