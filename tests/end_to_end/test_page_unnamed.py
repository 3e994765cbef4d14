"""The tab Unnamed in a real Chromium: groups of unknown faces are named, merged, split and left out."""

import httpx2
import pytest
from playwright.sync_api import expect

from tests.end_to_end.browsing import show

pytestmark = pytest.mark.browser
ROOT = "/collections/default"
_JUDGE = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  return found.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(" | ")}`);
}"""


@pytest.fixture
def service(address):
    """A client of the service behind the page."""
    with httpx2.Client(base_url=address, timeout=60) as client:
        yield client


def remember(service, *photos):
    """Keep the unknown faces of photos and return their ids."""
    for each in photos:
        data = {"remember_unknown": "true"}
        service.post("/identify", files={"photo": each}, data=data).raise_for_status()
    return [each["face_id"] for each in service.get(f"{ROOT}/unknown-faces").json()["unknown_faces"]]


def group(service, *face_ids):
    made = service.post(f"{ROOT}/groups", json={"face_ids": face_ids}).raise_for_status().json()
    return made["group_id"]


def sizes(service, state="open"):
    return [each["faces"] for each in service.get(f"{ROOT}/groups", params={"state": state}).json()["groups"]]


def undo(page, text):
    page.locator(".toast", has_text=text).get_by_role("button", name="Undo").click()
    page.locator(".toast", has_text=text).wait_for(state="detached")


def test_the_page_says_how_to_switch_it_on(page, service):
    show(page, "Unnamed")
    expect(page.locator("#unnamed-none a")).to_have_attribute("href", "#/admin/collections/default")
    service.patch(ROOT, json={"remember_unknown_days": 7}).raise_for_status()
    show(page, "People")
    show(page, "Unnamed")
    page.get_by_text("deleted after 7 days").wait_for()


def test_unknown_faces_become_people(page, service, axe, group_photo, portrait):
    service.patch(ROOT, json={"remember_unknown_days": 7}).raise_for_status()
    first, second, third = remember(service, group_photo, portrait)
    pair = group(service, first, second)
    group(service, third)
    page.evaluate(axe)
    show(page, "Unnamed")
    cards = page.locator("#unnamed-list li")
    expect(cards).to_have_count(2)
    cards.first.locator("img").wait_for()
    for box in page.locator("#unnamed-list .pick").all():
        box.check()
    assert page.evaluate(_JUDGE) == []
    page.get_by_role("button", name="Same person").click()
    expect(cards).to_have_count(1)
    assert sizes(service) == [3]
    undo(page, "2 groups merged")
    expect(cards).to_have_count(2)

    cards.last.get_by_role("checkbox").check()
    page.get_by_role("button", name="Ignore", exact=True).click()
    expect(cards).to_have_count(1)
    assert sizes(service, "ignored") == [1]
    undo(page, "1 group ignored")
    expect(cards).to_have_count(2)

    page.locator(f'[data-group="{pair}"] a').click()
    faces = page.locator("#unnamed-group .cards li")
    expect(faces).to_have_count(2)
    faces.last.get_by_role("checkbox").check()
    page.get_by_role("button", name="Different person").click()
    expect(faces).to_have_count(1)
    assert sizes(service) == [1, 1, 1]
    assert page.evaluate(_JUDGE) == []
    page.get_by_label("Name", exact=True).fill("Eve")
    page.get_by_role("button", name="Enroll", exact=True).click()
    page.locator("#person h2", has_text="Eve").wait_for()
    named = service.get(f"{ROOT}/identities", params={"q": "eve"}).json()["identities"]
    assert [(each["name"], each["faces"], each["face_id"]) for each in named] == [("Eve", 1, first)]

    show(page, "Unnamed")
    cards.first.locator("a").click()
    page.get_by_role("button", name="Add to somebody").click()
    page.locator('.picks [data-person="p0"]').click()
    page.locator("#person h2", has_text="Ada").wait_for()
    show(page, "Unnamed")
    cards.first.get_by_role("checkbox").check()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(cards).to_have_count(0)
    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        show(page, "People")  # does not wait any longer
    assert sizes(service) == []
