"""Signing in on the page with an OpenID provider, in Chromium, at the provider's own forms."""

import re
import socket
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from app.cli.demo import serving
from tests.end_to_end.axe import judge
from tests.end_to_end.browsing import beyond_the_edge
from tests.end_to_end.openid import oidc, provided

pytestmark = [pytest.mark.browser, pytest.mark.network]


@pytest.fixture(scope="module")
def address(settings, tmp_path_factory):
    """The page of a service on which people can sign in; the provider knows its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    page = f"http://127.0.0.1:{port}/"
    with (
        provided(page, tmp_path_factory.mktemp("provider")) as issuer,
        serving(settings.model_copy(update={"oidc": oidc(issuer, name="Example Ltd")}), port=port),
    ):
        yield page


@contextmanager
def opened(browser, address, width=1440):
    context = browser.new_context(viewport={"width": width, "height": 900}, locale="en-US")
    context.set_default_timeout(60_000)
    try:
        page = context.new_page()
        page.goto(address)
        yield page
    finally:
        context.close()


def sign_in_as(page, person):
    page.get_by_role("button", name="Sign in with Example Ltd").click()
    page.get_by_placeholder("Enter any login").fill(person)
    page.get_by_placeholder("and password").fill("any")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()


@pytest.mark.parametrize("width", [390, 1440])
def test_a_person_signs_in_and_out(browser, address, axe, width):
    with opened(browser, f"{address}#/people", width) as page:
        page.get_by_role("button", name="Sign in with Example Ltd").wait_for()
        judge(page, axe)
        assert beyond_the_edge(page) == []
        sign_in_as(page, "ada")
        page.get_by_role("button", name="Signed in as ada").wait_for()
        expect(page.get_by_role("tab", name="People")).to_have_attribute("aria-selected", "true")
        assert urlsplit(page.url).query == ""
        assert page.evaluate("document.cookie") == ""
        page.reload()
        page.get_by_role("button", name="Signed in as ada").click()
        with page.expect_response(re.compile("/sessions/current$")) as ended:
            page.get_by_role("button", name="Sign out").click()
        assert ended.value.status == 204
        page.locator(".sign-in").wait_for()
        assert page.evaluate("sessionStorage.length") == 0


def test_a_person_without_a_grant_reads_why(browser, address):
    with opened(browser, address) as page:
        sign_in_as(page, "eve")
        page.get_by_text("no group of this person has a grant").wait_for()
        expect(page.get_by_label("API key", exact=True)).to_be_visible()


def test_an_answer_of_another_tab_is_refused(browser, address):
    with opened(browser, f"{address}?code=stolen&state=of-another-tab") as page:
        page.get_by_text("The answer does not belong to a sign-in of this tab.").wait_for()
        assert urlsplit(page.url).query == ""
