"""The page in each of its languages, in Chromium."""

import calendar
from functools import partial

import pytest

from tests.end_to_end.browsing import beyond_the_edge, opened
from tests.end_to_end.languages import TABS, add_arabic, bracketed, fill, replace_english, untranslated

pytestmark = pytest.mark.browser
VIOLATIONS = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  return found.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(" | ")}`);
}"""


@pytest.mark.parametrize(
    ("locale", "lang", "tab"),
    [
        ("en-GB", "en", "People"),
        ("de-AT", "de", "Personen"),
        ("es-MX", "es", "Personas"),
        ("fr-FR", "fr", "Personnes"),
        ("zh-CN", "zh-Hans", "人员"),
        ("sw-KE", "en", "People"),
    ],
)
def test_the_language_is_that_of_the_browser(browser, address, locale, lang, tab):
    with opened(browser, address, locale=locale) as page:
        page.get_by_role("tab", name=tab).wait_for()
        assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == [lang, "ltr"]


def test_a_chosen_language_is_kept(browser, address):
    with opened(browser, address, path="/#/people") as page:
        page.get_by_label("Language").select_option("Deutsch")
        page.get_by_role("tab", name="Personen", selected=True).wait_for()
        assert page.get_by_role("tab", name="Verwaltung").is_visible()
        page.reload()
        page.get_by_role("tab", name="Personen").wait_for()
        assert page.get_by_label("Sprache").input_value() == "de"
        assert page.evaluate("Object.entries(localStorage)") == [["arcid.language", "de"]]


@pytest.fixture
def full(group_photo, faces_of, faceless):
    """Bring a tab into its fullest state."""
    return partial(fill, group_photo=group_photo, faces_of=faces_of, faceless=faceless)


DATA = {"Ada", "Bob", "Cora", "Dan", "FMR", "FPIR", "and", "jpg", "photo", "ID"}  # the last by Intl, or names of files


def test_all_texts_come_from_message_files(browser, address, people, full):
    with opened(browser, address) as page:
        replace_english(page, bracketed)
        for tab in TABS:
            full(page, tab)
            assert untranslated(page) - DATA == set(), tab
        page.locator("#tab-people").click()
        page.locator("#people-list a").first.click()
        page.locator("#person .cards li").first.wait_for()
        assert untranslated(page) - DATA - months() == set()


def months():
    return {"AM", "PM", *calendar.month_abbr}


# A text is too long where there is least room; German, whose words are the longest, is also judged on a wide screen.
@pytest.mark.parametrize(
    ("locale", "width"), [("de-DE", 390), ("de-DE", 1440), ("es-ES", 390), ("fr-FR", 390), ("zh-CN", 390)]
)
def test_each_language_fits_and_has_no_violation(browser, address, people, axe, full, tmp_path, locale, width):
    with opened(browser, address, width=width, locale=locale) as page:
        judge(page, axe, full, tmp_path / f"{locale}-{width}")


@pytest.mark.parametrize("width", [390, 1440])
def test_right_to_left_fits_and_has_no_violation(browser, address, people, axe, full, tmp_path, width):
    with opened(browser, address, width=width, locale="ar-EG") as page:
        add_arabic(page, address)
        assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["ar", "rtl"]
        judge(page, axe, full, tmp_path / f"ar-{width}")


def judge(page, axe, full, folder):
    page.evaluate(axe)
    for tab in TABS:
        full(page, tab)
        page.screenshot(path=folder / f"{tab}.png", full_page=True)
        assert beyond_the_edge(page) == [], tab
        assert page.evaluate(VIOLATIONS) == [], tab
