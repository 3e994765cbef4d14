"""Each view of people in Chromium: phone and desktop, light and dark, with axe, with images and with initials."""

import base64
import os

import httpx2
import pytest
from playwright.sync_api import expect
from pydantic import SecretStr

from app.cli.demo import serving
from app.cli.serve import prepare_database
from tests.end_to_end.browsing import beyond_the_edge, opened, show

pytestmark = pytest.mark.browser
_JUDGE = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  return found.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(" | ")}`);
}"""


@pytest.fixture(scope="module")
def pictured(browser, settings, faces_of, tmp_path_factory):
    """Address of a service that keeps crops, with findings of each kind."""
    encryption = settings.encryption.model_copy(update={"key": SecretStr(base64.b64encode(os.urandom(32)).decode())})
    changes = {"data_dir": tmp_path_factory.mktemp("pictured"), "encryption": encryption}
    changed = settings.model_copy(update=changes)
    prepare_database(changed)
    with serving(changed, port=0) as address, httpx2.Client(base_url=address, timeout=120) as client:
        client.patch("/collections/default", json={"keep_crops": True}).raise_for_status()
        everybody = {
            "ada": (2, 2, 2, 3),
            "bob": (4,),
            "cora": (0,),
            "cora.too": (0,),
            "dan-who-has-a-long-name" * 5: (3,),
        }
        for identity_id, photos in everybody.items():
            for at in photos:
                data = {
                    "identity_id": identity_id,
                    "name": "Ada" if identity_id == "ada" else "",
                    "on_duplicate": "allow",
                }
                client.post("/enroll", files={"photos": faces_of[at]}, data=data).raise_for_status()
        faces = client.get("/collections/default/faces").json()["faces"]
        lowest = min(face["quality"]["score"] for face in faces)
        client.patch("/collections/default", json={"enroll_quality": lowest + 0.001}).raise_for_status()
        yield address


@pytest.fixture
def judged(axe):
    """Return a function that checks a view, and that its portraits in sight are images."""

    def check(page, name, pictures=None):
        if not page.evaluate("Boolean(window.axe)"):
            page.evaluate(axe)
        for at in range(2 if pictures else 0):
            image = page.locator(f"{pictures} .portrait img").nth(at)
            assert image.evaluate("image => image.naturalWidth") >= 100
        assert page.evaluate(_JUDGE) == [], name
        assert beyond_the_edge(page) == [], name

    return check


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_view_fits_shows_faces_and_has_no_violation(browser, pictured, judged, scheme, width):
    with opened(browser, pictured, path="/#/people", width=width, height=844, scheme=scheme) as page:
        page.locator("#people-list li").nth(4).wait_for()
        judged(page, "grid", "#people-list")
        page.get_by_label("Select Ada").check()
        page.get_by_label("Select cora", exact=True).check()
        judged(page, "selected")
        page.get_by_role("button", name="Merge …").click()
        judged(page, "merge", ".compare")
        page.locator(".compare").get_by_role("button", name="Cancel").click()
        page.keyboard.press("Escape")
        page.locator("#people-list a", has_text="Ada").click()
        page.locator("#person .cards li").nth(3).wait_for()
        page.locator("#person .cards summary").first.click()
        judged(page, "person", "#person .cards")
        page.get_by_label("Select the face").first.check()
        page.get_by_role("button", name="Rename").click()
        judged(page, "rename")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Same person as").click()
        page.locator(".picks button").nth(3).wait_for()
        judged(page, "picker", ".picks")
        page.locator(".picker").get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Delete the face").last.click()
        expect(page.locator("#person .cards li")).to_have_count(3)
        judged(page, "toast")
        page.keyboard.press("Control+z")
        expect(page.locator("#person .cards li")).to_have_count(4)
        page.goto(f"{pictured}/#/people/nobody")
        page.locator("#person h2", has_text="Nobody here").wait_for()
        judged(page, "nobody")


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_findings_show_the_faces_side_by_side(browser, pictured, judged, scheme, width):
    with opened(browser, pictured, path="/#/health", width=width, height=844, scheme=scheme) as page:
        page.get_by_role("button", name="Check the gallery").click()
        for kind in ("These two look like one person", "One face does not look like", "A face of low quality"):
            page.locator("#findings li", has_text=kind).first.wait_for()
        odd = page.locator("#findings li", has_text="One face does not look like")
        odd.scroll_into_view_if_needed()
        assert odd.locator(".side").count() == 3
        judged(page, "findings", "#findings li:first-child")
        two = page.locator("#findings li", has_text="These two look like one person").first
        two.get_by_role("button", name="Compare and merge").click()
        judged(page, "compare", ".compare")
        page.locator(".compare").get_by_role("button", name="Cancel").click()


def test_a_face_says_what_is_wrong_and_how_each_component_is(browser, pictured):
    def flawed(route):
        answer = route.fetch().json()
        first, second, *_ = (face["quality"] for face in answer["first_faces"])
        first |= {
            "score": 0.3,
            "reasons": ["dark", "turned_away"],
            "hints": ["add light", "turn"],
            "worst": "sharpness",
        }
        first["components"] |= {"sharpness": 3.4, "luminance_mean": 20}
        second |= {"reasons": [], "hints": [], "components": {}, "worst": None}  # as of an imported face
        route.fulfill(json=answer)

    with opened(browser, pictured) as page:
        page.route("**/identities/ada", flawed)
        page.goto(f"{pictured}/#/people/ada")
        cards = page.locator("#person .cards li")
        expect(cards.nth(0).locator(".reasons")).to_have_text("dark, turned away")
        expect(cards.nth(1).locator(".reasons, details")).to_have_count(0)
        expect(cards.nth(3).locator(".reasons")).to_have_count(0)
        expect(cards.nth(0).locator("dl")).to_be_hidden()
        cards.nth(0).locator("summary").press("Enter")
        expect(cards.nth(0).get_by_role("meter", name="sharpness")).to_be_visible()
        assert cards.nth(0).locator("dt").all_inner_texts()[:2] == ["sharpness", "mean luminance"]
        assert cards.nth(0).locator("dd span").all_inner_texts()[:2] == ["3", "20"]
        assert "turn the head to the camera" in cards.nth(0).locator("details").inner_text()
        measured = [float(each.get_attribute("value") or "") for each in cards.nth(3).locator("dd meter").all()]
        assert len(measured) > 10
        assert measured == sorted(measured)


def test_without_crops_initials_stay_and_nothing_is_asked_for(page):
    def without(route):
        answer = route.fetch().json()
        for each in answer["identities"]:
            each["has_image"] = False
        route.fulfill(json=answer)

    asked = []
    page.route("**/identities?*", without)
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/image") else None)
    show(page, "People")
    page.locator("#people-list li").nth(3).wait_for()
    page.wait_for_load_state("networkidle")
    assert page.locator("#people-list .portrait").all_inner_texts() == ["A", "B", "C", "D"]
    assert asked == []


def test_images_are_asked_for_as_they_come_into_view(browser, pictured):
    asked = []
    with opened(browser, pictured, path="/#/people", width=390, height=300) as page:
        page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/image") else None)
        page.locator("#people-list li").nth(4).wait_for()
        page.wait_for_load_state("networkidle")
        before = len(asked)
        assert before < 5
        page.locator("#people-list li").last.scroll_into_view_if_needed()
        page.locator("#people-list li:last-child .portrait img").wait_for()
        assert len(asked) > before
        page.locator("#people-list a", has_text="Ada").click()
        page.locator("#person .cards li").nth(3).wait_for()
        page.go_back()
        page.locator("#people-list li").last.scroll_into_view_if_needed()
        assert len(asked) == len(set(asked))  # each face once
