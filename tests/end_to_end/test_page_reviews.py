"""The view of reviews in Chromium: the queue, decisions by buttons and keys, and two people who have to agree."""

import httpx2
import pytest
from playwright.sync_api import expect

from tests.end_to_end.axe import judge
from tests.end_to_end.browsing import beyond_the_edge, opened
from tests.end_to_end.guarded import guarded_service, sign_in

pytestmark = pytest.mark.browser
REVIEWS = "/collections/gate/reviews"


def client_of(address, secret):
    return httpx2.Client(base_url=address, headers={"Authorization": f"Bearer {secret}"}, timeout=60)


@pytest.fixture(scope="module")
def service(browser, settings, tmp_path_factory, portrait):
    """A service with reviews of Ada: the address, the key of the page, and a client with another key."""
    folder = tmp_path_factory.mktemp("reviewed")
    with guarded_service(settings, folder) as (address, keys), client_of(address, keys["admin"]) as client:
        made = {"name": "gate", "review": "possible", "probe_quality": 1, "reviewers": 2}
        client.post("/collections", json=made).raise_for_status()
        person = {"collection": "gate", "identity_id": "ada", "name": "Ada"}
        client.post("/enroll", files={"photos": portrait}, data=person).raise_for_status()
        for _ in range(2):
            client.post("/identify", files={"photo": portrait}, data={"collection": "gate"}).raise_for_status()
        data = {"collection": "gate", "identity_id": "ada"}
        client.post("/verify", files={"probe": portrait}, data=data).raise_for_status()
        yield address, keys["manage"], client


def test_two_people_decide_what_the_network_cannot(service, browser, axe):
    address, secret, other = service
    with opened(browser, address, path="/#/admin/reviews/gate", width=320) as page:
        sign_in(page, secret)
        view = page.locator(".admin-view")
        items = view.locator(".reviews > li")
        expect(items).to_have_count(2)
        first, second = items.nth(0), items.nth(1)
        expect(view.get_by_text("2 open reviews; two different people have to agree")).to_be_visible()
        expect(first.get_by_role("heading", name="Possibly Ada")).to_be_visible()
        expect(first).to_contain_text("Identification")
        expect(first).to_contain_text("2 times")
        expect(first).to_contain_text("a stranger reaches this less than once in")
        expect(first.locator(".portrait img")).to_have_count(2)  # the probe's face and the candidate's
        assert judge(page, axe) == []
        assert beyond_the_edge(page) == []

        first.get_by_label("Note").fill("by the badge")
        first.get_by_role("button", name="Confirm").click()
        expect(first).to_contain_text("Another person has to agree")
        expect(first).to_contain_text("manage confirmed Ada")
        expect(first).to_contain_text("by the badge")
        expect(second).to_be_focused()
        page.keyboard.press("r")
        expect(second).to_contain_text("manage rejected")
        expect(page.locator("#status")).to_contain_text("Another person has to agree")

        reviews = other.get(REVIEWS).json()["reviews"]
        for each, decision in zip(reviews, ("confirm", "reject"), strict=True):
            path = f"{REVIEWS}/{each['review_id']}/decision"
            other.post(path, json={"decision": decision}).raise_for_status()
        view.get_by_label("State").select_option("confirmed")
        expect(items).to_have_count(1)
        expect(items.get_by_role("heading", name="Confirmed: Ada")).to_be_visible()
        expect(items.get_by_role("button")).to_have_count(0)
        view.get_by_label("State").select_option("open")
        expect(view.get_by_text("No review is in this state")).to_be_visible()
        assert judge(page, axe) == []

        other.patch("/collections/gate", json={"review": "off"}).raise_for_status()
        page.locator(".admin-links").get_by_role("link", name="Collections").click()
        page.locator(".admin-links").get_by_role("link", name="Review").click()
        view.get_by_text("No collection has reviews").wait_for()
