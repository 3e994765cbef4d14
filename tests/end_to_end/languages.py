"""The page in any language: its fullest state by ids instead of texts, stand-in languages, and untranslated words."""

import re

from tests.end_to_end.browsing import photo

TABS = ("identify", "enroll", "verify", "people", "health", "jobs")
_LOOSE = """() => {
  const isData = (each) => each.closest("code, option, [data-person], h1, body [lang]");
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let [depth, text] = [0, ""];
  while (walker.nextNode()) {
    const { parentElement: parent, data } = walker.currentNode;
    if (!parent.checkVisibility()) continue;
    for (const letter of data) {
      if (letter === "⟧") depth -= 1;
      else if (letter === "⟦") depth += 1;
      else if (!depth && !isData(parent)) text += letter;
    }
    text += "\\n";
  }
  const spoken = ["aria-label", "placeholder", "title", "alt"].flatMap((name) =>
    [...document.querySelectorAll(`[${name}]`)].map((each) => each.getAttribute(name)));
  return [text, ...spoken.filter((each) => !/^⟦.*⟧$/s.test(each))].join("\\n");
}"""
_ARABIC = "ابتثجحخدذرزسشصضطظعغفقكلمنهوي"


def untranslated(page):
    """Return the words outside `⟦⟧`, which `bracketed` puts around each text."""
    return set(re.findall(r"[^\W\d_]{2,}", page.evaluate(_LOOSE)))


def bracketed(text):
    """Return a text of the page in marks that show where it came from."""
    return {form: bracketed(each) for form, each in text.items()} if isinstance(text, dict) else f"⟦{text}⟧"


def arabic(text):
    """Return a text of the same length in Arabic letters, with the same placeholders."""
    if isinstance(text, dict):
        return {form: arabic(each) for form, each in text.items()}
    return re.sub(
        r"\{\w+\}|[a-zA-Z]", lambda found: found[0] if found[0][0] == "{" else _ARABIC[ord(found[0]) % 28], text
    )


def replace_english(page, change):
    """Load the page again with other English texts."""
    page.route("**/web/messages.en.json", lambda route: route.fulfill(json=_changed(route.fetch().json(), change)))
    page.reload()


def add_arabic(page, address):
    """Load the page again with a language that is written from right to left."""
    english = page.request.get(f"{address}/web/messages.en.json").json()
    page.route("**/web/messages.ar.json", lambda route: route.fulfill(json=_changed(english, arabic)))
    page.route(f"{address}/", _with_arabic)
    page.reload()


def _changed(texts, change):
    return {key: change(text) for key, text in texts.items()}


def _with_arabic(route):
    answer = route.fetch()
    option = '<option value="ar" lang="ar" dir="rtl">ar</option>'
    body = re.sub(r'(id="language".*?)(?=</select>)', rf"\1{option}", answer.text(), count=1, flags=re.DOTALL)
    route.fulfill(response=answer, body=body)


def fill(page, tab, *, group_photo, faces_of, faceless):
    """Bring a tab into its fullest state."""
    page.locator(f"#tab-{tab}").click()
    if tab == "identify":
        page.set_input_files("#identify-photo input", [photo(group_photo), photo(faces_of[0], "a.jpg")])
        page.locator("#identify-result .begin").first.wait_for()
        page.locator("#sure summary").click()
        page.locator("#identify-result .begin").first.click()
        page.locator("#threshold").fill("0.45")
    elif tab == "enroll":
        page.set_input_files("#enroll-photos input", [photo(each) for each in (faces_of[0], faces_of[5], faceless)])
        page.locator("#enroll-id").fill("p9")
        page.locator("#enroll-form button.main").click()
        page.locator("#enroll-result .verdict").wait_for()
    elif tab == "verify":
        page.set_input_files("#verify-probe input", [photo(faces_of[0])])
        page.set_input_files("#verify-reference input", [photo(group_photo)])
        page.locator("#verify-reference-stage .picture").wait_for()
        page.locator("#verify-form button.main").click()
        page.locator("#verify-result .verdict").wait_for()
        page.locator("#verify-result summary").click()
    elif tab == "people":
        page.locator("#people-list .pick").first.check()
    elif tab == "health":
        page.locator("#health-start").click()
        page.locator("#findings li").first.wait_for()
    page.wait_for_load_state("networkidle")
