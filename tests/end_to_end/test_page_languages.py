"""The page in each of its languages, in Chromium."""

import pytest

from tests.end_to_end.browsing import opened

pytestmark = pytest.mark.browser


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
        assert page.get_by_role("button", name="API-Schlüssel").is_visible()
        page.reload()
        page.get_by_role("tab", name="Personen").wait_for()
        assert page.get_by_label("Sprache").input_value() == "de"
        assert page.evaluate("Object.entries(localStorage)") == [["arcid.language", "de"]]
