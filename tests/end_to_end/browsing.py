"""A real Chromium on the page, with checks of its requests to other machines, its messages and its layout."""

import shutil
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")  # the first opens no windows
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]
_NOTE_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (e) => violations.push(`${e.violatedDirective} ${e.blockedURI}`));
"""
_WAIT_FOR_UNDO = """
const timeout = window.setTimeout;
window.setTimeout = (work, time, ...more) => timeout(work, time === 8000 ? 120000 : time, ...more);
"""
_BEYOND_THE_EDGE = """() => {
  const wide = document.documentElement.clientWidth;
  const scrolls = (each) => each && (getComputedStyle(each).overflowX !== "visible" || scrolls(each.parentElement));
  return [...document.querySelectorAll("body *")]
    .filter((each) => each.checkVisibility() && !each.closest(".skip, .hidden-text"))
    .filter((each) => !scrolls(each.parentElement))
    .map((each) => [each, each.getBoundingClientRect()])
    .filter(([, box]) => box.width && (box.right > wide + 1 || box.left < -1))
    .map(([each, box]) => `${each.tagName}#${each.id}.${each.className} ${box.left}..${box.right} of ${wide}`);
}"""


@contextmanager
def chromium(camera=None, *further):
    """Yield a browser with further arguments; its camera shows the frames of a file, if given."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: run .ci/install browser")
    playwright.expect.set_options(timeout=60_000)  # the machine may be busy
    with playwright.sync_playwright() as running:
        seen = [f"--use-file-for-fake-video-capture={camera}"] if camera else []
        arguments = [*_ARGUMENTS, *seen, *further]
        browser = running.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def wait_until_connected(page):
    """Wait until the page shows one of its views: only then does it notice a chosen file. The load event is earlier."""
    page.locator(":is([role=tabpanel], #forbidden, .sign-in):visible").first.wait_for()


@contextmanager
def opened(browser, address, *, path="/", width=1440, height=900, scheme="light", locale="en-US", harmless=()):
    """Yield the page; then check that it logged no error, except `harmless` ones, and contacted no other machine."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, locale=locale)
    context.set_default_timeout(60_000)
    foreign, complaints = [], []

    def guard(route):
        asked = urlsplit(route.request.url)
        if asked.scheme in {"blob", "data"} or asked.netloc == urlsplit(address).netloc:
            route.continue_()
        else:
            foreign.append(route.request.url)
            route.abort()

    context.route("**/*", guard)
    context.add_init_script(_NOTE_VIOLATIONS)
    context.add_init_script(_WAIT_FOR_UNDO)  # a busy machine may need longer than the page waits before it deletes
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if _is_complaint(message) else None)
    try:
        page.goto(address + path)
        if page.locator("[role=tabpanel]").count():  # it is not the documentation
            wait_until_connected(page)
        yield page
        assert page.evaluate("violations") == []
    finally:
        context.close()
    assert foreign == []
    assert [each for each in complaints if each not in harmless] == []


def _is_complaint(message):
    # Chromium logs all answers of 4xx and 5xx, and refused connections; the page itself shows them.
    return message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource")


def photo(content, name="photo.jpg"):
    """Return a file for a file field."""
    return {"name": name, "mimeType": "image/jpeg", "buffer": content}


def show(page, tab):
    """Open a tab."""
    page.get_by_role("tab", name=tab).click()


def enroll(page, identity_id, *photos, name=""):
    """Enroll on the page, and wait for the result."""
    show(page, "Enroll")
    page.set_input_files("#enroll-photos input", [photo(each, f"{at}.jpg") for at, each in enumerate(photos)])
    page.get_by_label("Id yours").fill(identity_id)
    page.get_by_label("Name optional").fill(name)
    page.get_by_role("button", name="Enroll", exact=True).click()
    page.locator("#enroll-result .verdict").wait_for()


def identify(page, content):
    """Identify a photo on the page, and wait for the answer."""
    show(page, "Identify")
    page.set_input_files("#identify-photo input", [photo(content)])
    page.locator("#identify-result h3").wait_for()


def beyond_the_edge(page):
    """Return the elements that exceed the window; contents of scrolling elements are exempt."""
    scrolls = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return [*(["the page scrolls sideways"] if scrolls else []), *page.evaluate(_BEYOND_THE_EDGE)]
