"""Addresses of the page in Chromium: they name collection and tab, can be shared, and work with the back button."""

import re
from urllib.parse import quote, unquote

import httpx2
import pytest
from playwright.sync_api import expect

from tests.end_to_end.browsing import opened, show

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def staff(address, faces_of):
    """A second collection, with one person, Eve."""
    with httpx2.Client(base_url=address, timeout=120) as client:
        client.post("/collections", json={"name": "staff"}).raise_for_status()
        data = {"collection": "staff", "identity_id": "eve", "name": "Eve"}
        client.post("/enroll", files={"photos": faces_of[5]}, data=data).raise_for_status()
        yield
        client.delete("/collections/staff").raise_for_status()


def at(page):
    """Return the address after the '#'."""
    return unquote(page.url).partition("#")[2]


@pytest.fixture
def opened_at(browser, address, people, staff):
    """Return a function that opens an address of the page."""

    def open_at(path):
        return opened(browser, address, path=path)

    return open_at


def test_a_link_names_the_collection_for_somebody_else(opened_at):
    with opened_at("/#/c/staff/people/eve") as page:
        page.locator("#person h2", has_text="Eve").wait_for()
        expect(page.locator("#collection-list")).to_have_value("staff")
        page.get_by_role("link", name="People").click()
        expect(page.locator("#people-list li")).to_have_count(1)
        assert at(page) == "/c/staff/people"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", "/c/default/identify"),
        ("#/people", "/c/default/people"),
        ("#/people/p3", "/c/default/people/p3"),
        ("#/c/staff", "/c/staff/identify"),
        ("#/nowhere", "/c/default/identify"),
        ("#main", "/c/default/identify"),
        ("#/c/%zz/verify", "/c/%zz/verify"),
    ],
)
def test_shorter_and_older_addresses_still_work(opened_at, old, new):
    with opened_at(f"/{old}") as page:
        expect(page).to_have_url(re.compile(f"{quote(new)}$"))
        expect(page.locator(f"#{new.split('/')[3]}")).to_be_visible()


def test_the_back_button_returns_to_the_collection_and_the_person(opened_at):
    with opened_at("/#/people/p0") as page:
        page.locator("#person h2", has_text="Ada").wait_for()
        page.locator("#collection-list").select_option("staff")
        page.locator("#people-list", has_text="Eve").wait_for()
        assert at(page) == "/c/staff/people"
        show(page, "Verify")
        assert at(page) == "/c/staff/verify"
        page.go_back()
        page.go_back()
        page.locator("#person h2", has_text="Ada").wait_for()
        expect(page.locator("#collection-list")).to_have_value("default")
        page.go_forward()
        page.locator("#people-list", has_text="Eve").wait_for()
        expect(page.locator("#people-list li")).to_have_count(1)


def test_a_person_of_another_collection_by_typing_the_address(opened_at):
    with opened_at("/#/c/staff/people/eve") as page:
        page.locator("#person h2", has_text="Eve").wait_for()
        page.evaluate("location.hash = '#/c/default/people/p1'")
        page.locator("#person h2", has_text="Bob").wait_for()
        page.evaluate("location.hash = '#nothing'")
        expect(page).to_have_url(re.compile("/c/default/people/p1$"))
        assert page.locator("#person h2").inner_text() == "Bob"


def test_a_link_to_a_collection_that_is_gone_says_so(opened_at):
    with opened_at("/#/c/gone/people") as page:
        page.locator(".problem", has_text="collection_unknown").wait_for()
        expect(page.locator("#collection-list option:checked")).to_have_text("gone (not found)")
        page.locator("#collection-list").select_option("staff")
        page.locator("#people-list", has_text="Eve").wait_for()
        assert page.locator(".problem").count() == 0
