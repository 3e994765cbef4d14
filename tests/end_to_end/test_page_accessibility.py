"""Accessibility of the page, in Chromium with axe-core: low vision, keyboard only, small screens."""

from functools import partial

import pytest
from playwright.sync_api import expect

from tests.end_to_end.browsing import beyond_the_edge, enroll, identify, opened, photo, show

pytestmark = pytest.mark.browser
TABS = ("Identify", "Enroll", "Verify", "People", "Unnamed", "Health", "Jobs", "Administration")
_JUDGE = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  return found.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(" | ")}`);
}"""


@pytest.fixture
def fill(group_photo, faces_of, faceless):
    """Bring a tab into its fullest state."""
    return partial(_fill, group_photo=group_photo, faces_of=faces_of, faceless=faceless)


def _fill(page, tab, *, group_photo, faces_of, faceless):
    if tab == "Enroll":
        enroll(page, "again", faces_of[0], faces_of[5], faceless)
    elif tab == "Identify":
        identify(page, group_photo)
        if not page.locator("#sure").evaluate("(sure) => sure.open"):
            page.get_by_text("How sure is that?").click()
        page.locator("#identify-result .begin").first.click()
    elif tab == "Verify":
        show(page, tab)
        page.set_input_files("#verify-probe input", [photo(faces_of[0])])
        page.set_input_files("#verify-reference input", [photo(group_photo)])
        page.locator("#verify-reference-stage .picture").wait_for()
        page.get_by_role("button", name="Verify", exact=True).click()
        page.locator("#verify-result .verdict").wait_for()
    elif tab == "People":
        show(page, tab)
        page.locator("#people-list .pick").first.check()
    elif tab == "Health":
        show(page, tab)
        page.get_by_role("button", name="Check the gallery").click()
        page.locator("#health-progress", has_text=".").wait_for()
    else:
        show(page, tab)


def test_the_judges_see_what_is_wrong(page, axe):
    page.evaluate(axe)
    page.evaluate("document.querySelector('h2').style.color = '#ddd'")
    assert any(each.startswith("color-contrast") for each in page.evaluate(_JUDGE))
    page.evaluate("document.querySelector('h2').style.width = '2000px'")
    assert len(beyond_the_edge(page)) == 2


@pytest.mark.parametrize("width", [320, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_tab_fits_and_has_no_violation(browser, address, people, axe, fill, tmp_path, scheme, width):
    with opened(browser, address, width=width, scheme=scheme) as page:
        page.evaluate(axe)
        for tab in TABS:
            show(page, tab)
            if width == 320:  # an empty tab has less to place on a wide screen than the full one below
                assert page.evaluate(_JUDGE) == [], tab
            fill(page, tab)
            page.screenshot(path=tmp_path / f"{tab}-{width}-{scheme}.png", full_page=True)
            assert beyond_the_edge(page) == [], tab
            assert page.evaluate(_JUDGE) == [], tab
        assert len(list(tmp_path.glob("*.png"))) == len(TABS)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dialogs_and_problems_have_no_violation(browser, address, people, axe, faceless, scheme):
    with opened(browser, address, width=320, scheme=scheme) as page:
        page.evaluate(axe)
        show(page, "Verify")
        page.get_by_label("an enrolled person").check()
        page.locator("#verify-find").click()
        page.locator(".picks button").nth(3).wait_for()
        assert page.evaluate(_JUDGE) == []
        assert beyond_the_edge(page) == []
        page.keyboard.press("Escape")
        show(page, "Enroll")
        page.set_input_files("#enroll-photos input", [photo(faceless)])
        page.get_by_role("button", name="Enroll", exact=True).click()
        page.locator(".problem").wait_for()
        assert page.evaluate(_JUDGE) == []
        assert beyond_the_edge(page) == []


# Colours depend on the scheme, and places on the width; no rule depends on both.
@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1440)])
def test_what_follows_an_answer_has_no_violation(browser, address, people, axe, group_photo, faces_of, scheme, width):
    with opened(browser, address, width=width, scheme=scheme) as page:
        page.evaluate(axe)

        def judge():
            assert page.evaluate(_JUDGE) == []
            assert beyond_the_edge(page) == []

        page.set_input_files("#identify-photo input", [photo(group_photo), photo(faces_of[0], "ada.jpg")])
        page.locator("#recent-list", has_text="and 4 others").wait_for()
        page.locator("#recent-list", has_text="Ada, ada.jpg").wait_for()
        page.locator("#identify-result h3").wait_for()
        page.locator("#identify-result").get_by_role("button", name="Ignore").first.click()
        page.locator("#identify-result .begin").first.click()
        page.get_by_text("How sure is that?").click()
        page.locator("#threshold").fill("0.45")
        judge()
        page.locator("#threshold-save").click()
        page.locator("dialog.rule[open]").wait_for()
        judge()
        page.keyboard.press("Escape")
        page.locator("#identify-result").get_by_role("button", name="Add to a person").first.click()
        page.locator(".picks button").nth(3).wait_for()
        judge()


def test_the_live_camera_has_no_violation(browser, address, people, axe):
    with opened(browser, address, width=320) as page:
        page.evaluate(axe)
        page.get_by_role("button", name="Live camera").click()
        page.locator("#identify-result h3").wait_for()
        assert page.evaluate(_JUDGE) == []
        assert beyond_the_edge(page) == []


def focused(page):
    return page.evaluate("(({ id, textContent }) => id || textContent.trim())(document.activeElement)")


def walk(page, keys="Tab", most=40):
    """Press a key until the focus returns to the start of the document; return all elements that had it."""
    seen = []
    for _ in range(most):
        page.keyboard.press(keys)
        now = focused(page)
        if page.evaluate("document.activeElement === document.body"):
            break
        seen.append(now)
    return seen


def test_the_order_of_tab_stops_is_that_of_the_page(page):
    page.locator("#collection-list").wait_for()
    order = walk(page, most=11)
    assert order == [
        "Skip to the content",
        "collection-list",
        "language",
        "tab-identify",
        "identify",
        "Choose photos",
        "Live camera",
        "API documentation",
    ]


def test_the_focus_is_always_visible(page):
    page.locator("#collection-list").wait_for()
    for _ in range(8):
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", focused(page)


def test_a_tour_with_the_keyboard_alone(page, faces_of):
    page.locator("#collection-list").wait_for()
    page.on("filechooser", lambda _: None)  # otherwise the browser opens a dialog
    page.locator("#tab-identify").focus()
    names = []
    for _ in TABS:
        names.append(focused(page))
        page.keyboard.press("ArrowRight")
    assert names == [f"tab-{each.lower()}" for each in (*TABS[:-1], "admin")]
    assert focused(page) == "tab-identify"
    page.keyboard.press("End")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.locator("#enroll").is_visible()
    page.wait_for_load_state("networkidle")  # the requests of the tabs are complete

    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert focused(page) == "Choose photos"
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files([photo(faces_of[5])])
    page.locator("#enroll-list li").wait_for()
    while focused(page) != "enroll-id":
        page.keyboard.press("Tab")
    page.keyboard.type("eve")
    page.keyboard.press("Enter")
    page.locator("#enroll-result", has_text="eve: 1 photo enrolled").wait_for()

    page.locator("#tab-enroll").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.locator("#people-list a").nth(4).wait_for()
    while not page.evaluate("document.activeElement.matches('a[href$=eve]')"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("#person h2", has_text="eve").wait_for()
    while focused(page) != "Delete this person":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("eve deleted").first.wait_for()
    expect(page.locator("#people-list li")).to_have_count(4)
    page.keyboard.press("Control+z")
    expect(page.locator("#people-list li")).to_have_count(5)


def test_links_name_a_tab_and_screen_readers_hear_results(browser, address, people, group_photo):
    with opened(browser, address, path="/#/verify") as page:
        page.locator("#verify").wait_for()
        assert page.title() == "Verify · ArcID"
        identify(page, group_photo)
        assert page.get_by_role("status").first.inner_text().startswith("6 faces: 4 known, 2 unknown.")
