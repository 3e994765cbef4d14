"""Signing in on the page, in Chromium: the form, who is signed in, and what a key does not allow."""

import re

import httpx2
import pytest
from playwright.sync_api import expect

from tests.end_to_end.axe import judge
from tests.end_to_end.browsing import beyond_the_edge, enroll, identify, opened, show
from tests.end_to_end.guarded import guarded_service, sign_in

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def guarded(browser, settings, tmp_path_factory):
    """A service with keys: its address and the keys."""
    with guarded_service(settings, tmp_path_factory.mktemp("guarded")) as (address, keys):
        yield address, keys


def visible_tabs(page):
    return [each.strip() for each in page.get_by_role("tab").all_inner_texts()]


def test_a_key_is_kept_for_the_tab_and_forgotten(browser, guarded, portrait):
    address, keys = guarded
    with opened(browser, address) as page:
        expect(page).to_have_title("Sign in · ArcID")
        page.get_by_label("API key", exact=True).fill("arcid_wrong")
        page.keyboard.press("Enter")
        page.get_by_role("alert").get_by_text("The service does not know this key.").wait_for()
        assert page.get_by_label("API key", exact=True).get_attribute("aria-invalid") == "true"
        sign_in(page, keys["admin"])
        page.locator("#collection-list").wait_for()
        page.reload()
        page.locator("#collection-list").wait_for()
        assert page.locator(".sign-in").count() == 0
        enroll(page, "eileen", portrait)
        assert page.evaluate("Object.keys(localStorage)") == []
        assert page.evaluate("document.cookie") == ""
        page.get_by_role("button", name="Signed in as admin").click()
        page.get_by_role("button", name="Sign out").click()
        page.locator(".sign-in").wait_for()
        assert page.evaluate("sessionStorage.length") == 0


def test_a_key_that_is_not_kept_is_gone_after_a_reload(browser, guarded):
    address, keys = guarded
    with opened(browser, address) as page:
        page.get_by_label("Stay signed in in this tab").uncheck()
        sign_in(page, keys["admin"])
        show(page, "People")
        page.get_by_text("Nobody is enrolled yet").or_(page.locator("#people-list li")).first.wait_for()
        assert keys["admin"] not in page.evaluate("JSON.stringify(sessionStorage)")
        page.reload()
        page.locator(".sign-in").wait_for()


def test_the_form_suits_password_managers_and_the_key_can_be_shown(browser, guarded):
    address, _ = guarded
    with opened(browser, address) as page:
        field = page.get_by_label("API key", exact=True)
        expect(field).to_be_focused()
        assert field.get_attribute("autocomplete") == "current-password"
        assert page.locator(".sign-in [autocomplete=username]").count() == 1
        field.fill("no key at all")
        page.get_by_role("button", name="Show").click()
        assert field.get_attribute("type") == "text"
        page.get_by_role("button", name="Hide").click()
        assert field.get_attribute("type") == "password"
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        expect(page.locator(".sign-in[open]")).to_have_count(1)  # nothing works without a key
        page.get_by_label("API key", exact=True).fill("no key at all")
        page.keyboard.press("Enter")
        page.get_by_text("keys begin with arcid_").wait_for()
        page.get_by_text("Where do I get a key?").click()
        page.get_by_text("arcid keys create NAME --scope recognise").wait_for()


def test_a_link_opens_after_signing_in(browser, guarded, portrait):
    address, keys = guarded
    data = {"identity_id": "eileen", "name": "Eileen"}
    headers = {"Authorization": f"Bearer {keys['admin']}"}
    httpx2.post(f"{address}/enroll", files={"photos": portrait}, data=data, headers=headers).raise_for_status()
    with opened(browser, address, path="/#/c/default/people/eileen") as page:
        sign_in(page, keys["manage"])
        page.locator("#person h2", has_text="Eileen").wait_for()


@pytest.mark.parametrize(
    ("scope", "tabs"),
    [
        ("recognise", ["Identify", "Verify"]),
        ("enroll", ["Enroll"]),
        ("manage", ["People", "Unnamed", "Health", "Jobs", "Administration"]),
        ("metrics", ["Administration"]),
        ("admin", ["Identify", "Enroll", "Verify", "People", "Unnamed", "Health", "Jobs", "Administration"]),
    ],
)
def test_only_tabs_that_the_key_allows_are_shown(browser, guarded, scope, tabs):
    address, keys = guarded
    with opened(browser, address) as page:
        sign_in(page, keys[scope])
        page.get_by_role("tab", selected=True).wait_for()
        assert visible_tabs(page) == tabs
        assert page.get_by_role("tab", selected=True).inner_text() == tabs[0]
        page.wait_for_load_state("networkidle")
        assert page.locator(".problem").count() == 0


def test_a_link_that_the_key_does_not_allow_says_what_is_missing(browser, guarded, portrait):
    address, keys = guarded
    with opened(browser, address, path="/#/people") as page:
        sign_in(page, keys["recognise"])
        forbidden = page.locator("#forbidden")
        forbidden.get_by_role("heading", name="Your key does not open People").wait_for()
        assert "manage: see, change and delete people" in forbidden.inner_text()
        assert page.locator(".problem").count() == 0
        assert page.get_by_role("textbox", name="Collection").input_value() == "default"
        identify(page, portrait)
        page.go_back()
        forbidden.get_by_role("button", name="Use another key").click()
        page.get_by_role("button", name="Cancel").click()
        forbidden.get_by_role("button", name="Use another key").click()
        sign_in(page, keys["manage"])
        page.locator("#people-count, #people-none h3").filter(has_text=re.compile("person|Nobody")).first.wait_for()


def test_a_revoked_key_asks_again_and_the_work_goes_on(browser, guarded, portrait):
    address, keys = guarded
    admin = httpx2.Client(base_url=address, headers={"Authorization": f"Bearer {keys['admin']}"}, timeout=60)
    with admin, opened(browser, address) as page:
        made = admin.post("/keys", json={"name": "short", "scopes": ["recognise"]}).raise_for_status().json()
        sign_in(page, made["secret"])
        page.get_by_role("tab", selected=True).wait_for()
        admin.delete(f"/keys/{made['key_id']}").raise_for_status()
        page.set_input_files("#identify-photo input", [{"name": "a.jpg", "mimeType": "image/jpeg", "buffer": portrait}])
        page.get_by_text("Your key no longer works").wait_for()
        sign_in(page, keys["recognise"])
        page.locator("#identify-result h3").wait_for()  # the photo was not lost


def test_a_service_without_keys_shows_no_account(page):
    page.locator("#collection-list").wait_for()
    assert page.locator("#account").inner_text() == ""
    assert page.locator(".sign-in").count() == 0


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_sign_in_and_account_fit_and_have_no_violation(browser, guarded, axe, width, scheme):
    address, keys = guarded
    with opened(browser, address, width=width, height=844, scheme=scheme) as page:

        def check():
            assert judge(page, axe) == []
            assert beyond_the_edge(page) == []

        page.get_by_label("API key", exact=True).fill("arcid_wrong")
        page.keyboard.press("Enter")
        page.locator(".wrong", has_text="know").wait_for()
        page.get_by_text("Where do I get a key?").click()
        check()
        sign_in(page, keys["recognise"])
        page.get_by_role("button", name="Signed in as recognise").click()
        page.locator("#account-menu").wait_for()
        check()
        page.keyboard.press("Escape")
        page.evaluate("location.hash = '#/people'")
        page.locator("#forbidden h2").wait_for()
        check()
