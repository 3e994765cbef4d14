"""The dialog that picks an enrolled person, in a real Chromium."""

import re

import pytest
from playwright.sync_api import expect

from tests.end_to_end.browsing import show

pytestmark = pytest.mark.browser

_PICK = """async (near) => {
  const { pickPerson } = await import("/web/picker.js");
  window.picked = pickPerson("Who is this?", { near, without: ["p1"] });
}"""


def open_picker(page, near=()):
    """Open the dialog as the page's views do: with likely people, and without p1."""
    page.evaluate(_PICK, list(near))
    page.locator(".picks button").first.wait_for()
    return page.locator(".picks button")


def picked(page):
    return page.evaluate("picked")


def test_likely_people_come_first_and_the_excluded_one_is_missing(page):
    near = [{"identity_id": "p2", "name": "Cora", "similarity": 0.514}, {"identity_id": "p1", "similarity": 0.2}]
    people = open_picker(page, near)
    expect(people).to_have_text([re.compile("Cora.*similarity 0.51"), re.compile("Ada"), re.compile("Dan")])
    people.first.click()
    expect(page.locator("dialog.picker")).to_have_count(0)
    assert picked(page)["identity_id"] == "p2"


def test_people_are_found_as_one_types_and_keep_their_similarity(page):
    people = open_picker(page, [{"identity_id": "p3", "similarity": 0.25}])
    page.locator("#picker-q").fill("dan")
    expect(people).to_have_count(1)
    expect(people).to_have_text(re.compile("Dan.*similarity 0.25"))
    page.locator("#picker-q").fill("<b>")
    page.get_by_text("Nobody is called that.").wait_for()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("dialog.picker")).to_have_count(0)
    assert picked(page) is None


def test_a_person_is_picked_with_the_keyboard_alone(page):
    show(page, "Verify")
    page.get_by_label("an enrolled person").check()
    page.locator("#verify-find").focus()
    page.keyboard.press("Enter")
    page.locator(".picks button").nth(3).wait_for()
    page.keyboard.type("bob")
    expect(page.locator(".picks button")).to_have_count(1)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#verify-id")).to_have_value("p1")
    assert page.evaluate("document.activeElement.id") == "verify-find"


def test_the_crop_of_a_face_replaces_the_initials(page, faces_of):
    page.route(
        re.compile(r"/faces/[^/]+/image$"), lambda route: route.fulfill(body=faces_of[0], content_type="image/jpeg")
    )
    people = open_picker(page, [{"identity_id": "p0", "name": "Ada L", "face_id": "a-face"}])
    people.first.locator("img").wait_for()
    assert page.evaluate("document.querySelector('.picks img').naturalWidth") > 0
    page.keyboard.press("Escape")
    expect(page.locator("dialog.picker")).to_have_count(0)
    page.unroute(re.compile(r"/faces/[^/]+/image$"))
    missing = {"title": "Not Found", "status": 404, "code": "face_image_unknown"}
    page.route(re.compile(r"/faces/[^/]+/image$"), lambda route: route.fulfill(status=404, json=missing))
    people = open_picker(page, [{"identity_id": "p0", "name": "ada_de_lovelace", "face_id": "another-face"}])
    expect(people.first.locator(".portrait")).to_have_text("AL")
    assert page.locator(".problem").count() == 0


def test_a_key_that_may_not_list_people_names_an_id(page):
    refused = {"title": "Forbidden", "status": 403, "code": "scope_missing", "detail": "the key lacks manage"}
    page.route(re.compile(r"/identities\?"), lambda route: route.fulfill(status=403, json=refused))
    page.evaluate(_PICK, [])
    page.locator("#picker-q").fill("p7")
    page.locator(".picks button", has_text="p7").click()
    expect(page.locator("dialog.picker")).to_have_count(0)
    assert picked(page) == {"identity_id": "p7"}
