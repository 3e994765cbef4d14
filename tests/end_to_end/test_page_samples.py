"""The sample photos that the demo offers on its page, in Chromium."""

import pytest
from playwright.sync_api import expect

from app.api.http.listening import address_of, bind, close
from app.cli.demo import running
from app.cli.serve import configured_server
from app.container import Container
from tests.end_to_end.axe import judge
from tests.end_to_end.browsing import beyond_the_edge, opened

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def demo(browser, settings, group_photo):
    """Address of a service with two sample photos."""
    samples = {"sample-group.jpg": group_photo, "sample-other.jpg": group_photo}
    listeners = bind("127.0.0.1", 0)
    with Container(settings) as container:
        container.start()
        with running(configured_server(settings, container, samples), listeners):
            yield address_of(listeners[0])
    close(listeners)


def test_a_sample_photo_is_looked_up_at_a_click(browser, demo, axe):
    with opened(browser, demo, width=390) as page:
        samples = page.locator("#samples")
        samples.get_by_role("button").nth(1).wait_for()
        assert samples.get_by_role("button").all_inner_texts() == ["Everybody in one photo", "sample-other.jpg"]
        expect(page.locator("#sure")).to_be_hidden()
        samples.scroll_into_view_if_needed()
        assert judge(page, axe) == []
        assert beyond_the_edge(page) == []
        samples.get_by_role("button", name="Everybody").click()
        page.locator("#identify-result h3", has_text="6 faces").wait_for()
        expect(samples).to_be_hidden()
        expect(page.locator("#sure")).to_be_visible()


def test_without_samples_nothing_is_offered(page):
    page.wait_for_load_state("networkidle")
    assert page.locator("#samples").is_hidden()
