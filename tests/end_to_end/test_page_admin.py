"""The tab Administration in Chromium: collections with their settings, API keys, audit trail, calibration."""

import csv
import json
import re
import time
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from playwright.sync_api import expect

from app.cli.serve import prepare_database
from tests.end_to_end.axe import judge
from tests.end_to_end.browsing import beyond_the_edge, opened
from tests.end_to_end.guarded import guarded_service, sign_in

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def guarded(browser, settings, tmp_path_factory):
    """A service with keys: its address and the keys."""
    with guarded_service(settings, tmp_path_factory.mktemp("administered")) as (address, keys):
        yield address, keys


@pytest.fixture(scope="module")
def service(guarded):
    """A client with the admin key."""
    address, keys = guarded
    with httpx2.Client(base_url=address, timeout=60, headers={"Authorization": f"Bearer {keys['admin']}"}) as client:
        yield client


@pytest.fixture
def admin(browser, guarded):
    """Return a context manager: a view, signed in with the admin key."""
    address, keys = guarded

    @contextmanager
    def open_view(view, **options):
        with opened(browser, address, path=f"/#/admin/{view}", **options) as page:
            sign_in(page, keys["admin"])
            page.locator(".admin-view h2").wait_for()
            yield page

    return open_view


def at(page):
    """Return the address after the '#'."""
    return page.url.partition("#")[2]


def view(page):
    """Return the open view."""
    return page.locator(".admin-view")


# Views


def test_each_view_has_an_address_and_the_back_button_works(admin):
    with admin("") as page:
        assert at(page) == "/admin/collections"
        views = page.get_by_role("navigation", name="Views of the administration")
        views.get_by_role("link", name="API keys").click()
        page.get_by_role("heading", name="API keys").wait_for()
        assert views.get_by_role("link", name="API keys").get_attribute("aria-current") == "page"
        assert page.locator("#collection-form").is_hidden()
        views.get_by_role("link", name="Jobs").click()
        expect(page.locator("#jobs")).to_be_visible()
        page.go_back()
        page.go_back()
        page.get_by_role("heading", name="Collections").wait_for()
        page.go_back()
        assert "admin" not in at(page)


def test_views_that_the_key_does_not_allow(browser, guarded):
    address, keys = guarded
    with opened(browser, address, path="/#/admin/keys") as page:
        sign_in(page, keys["manage"])
        page.get_by_role("heading", name="Your key does not open API keys").wait_for()
        links = page.locator(".admin-links a")
        expect(links).to_have_text(["Collections", "Live", "Review", "API keys", "Jobs"])
        links.first.click()
        page.locator(".entries", has_text="default").wait_for()
        expect(links).to_have_text(["Collections", "Live", "Review", "Jobs"])


# Collections


def test_a_collection_is_created_set_up_and_deleted(admin, service):
    with admin("collections") as page:
        page.get_by_role("button", name="New collection").click()
        view(page).get_by_label("Name").fill("visitors")
        view(page).get_by_label("Name").press("Enter")
        page.get_by_role("heading", name="visitors").wait_for()
        assert at(page) == "/admin/collections/visitors"
        save = page.get_by_role("button", name="Save changes")
        expect(save).to_be_disabled()
        view(page).get_by_label("Lookups in which a stranger matches").fill("1000")
        view(page).get_by_label("Fixed similarity").fill("0.5")
        view(page).get_by_label("Fixed similarity").fill("")
        view(page).get_by_label("A new face looks like somebody else").select_option("reject")
        view(page).get_by_label("Require recorded consent").check()
        view(page).get_by_label("Days until people are erased").fill("30")
        view(page).get_by_label("Detector", exact=True).fill("yunet")
        save.click()
        page.get_by_text("Saved.").wait_for()
        found = service.get("/collections/visitors").raise_for_status().json()
        assert found["max_fpir"] == 0.001
        assert found["threshold"] is None
        assert found["on_duplicate"] == "reject"
        assert (found["require_consent"], found["retention_days"], found["detector"]) == (True, 30, "yunet")
        assert found["max_fmr"] is None
        expect(view(page).get_by_label("Lookups in which a stranger matches")).to_have_value("1000")
        assert "no calibration" in view(page).locator(".note").inner_text()  # of that detector
        view(page).get_by_label("Lookups in which a stranger matches").fill("")
        page.get_by_role("button", name="Save changes").click()
        page.get_by_text("Saved.").wait_for()
        assert service.get("/collections/visitors").json()["max_fpir"] is None
        view(page).get_by_label("Detector", exact=True).fill("")
        page.get_by_role("button", name="Save changes").click()
        page.get_by_text("Saved.").wait_for()
        assert re.search(
            r"a match needs a similarity of 0\.\d{3} to identify", view(page).locator(".note").inner_text()
        )
        page.get_by_role("button", name="Delete the collection").click()
        sure = page.locator("dialog").get_by_role("button", name="Delete the collection")
        page.get_by_label("Type visitors to confirm").fill("visitor")
        expect(sure).to_be_disabled()
        page.get_by_label("Type visitors to confirm").press_sequentially("s")
        sure.click()
        page.get_by_role("heading", name="Collections").wait_for()
        assert service.get("/collections/visitors").status_code == 404
        expect(page.locator(".entries")).not_to_contain_text("visitors")


def test_settings_that_somebody_else_changed_are_shown_and_kept(admin, service):
    service.post("/collections", json={"name": "shared"}).raise_for_status()
    with admin("collections/shared") as page:
        days = view(page).get_by_label("Days until people are erased")
        days.fill("30")
        service.patch("/collections/shared", json={"retention_days": 7}).raise_for_status()
        page.get_by_role("button", name="Save changes").click()
        page.get_by_text("Somebody else has changed the settings.").wait_for()
        expect(days).to_have_value("7")
        assert service.get("/collections/shared").json()["retention_days"] == 7
        days.fill("14")
        page.get_by_role("button", name="Save changes").click()
        page.get_by_text("Saved.").wait_for()
        assert service.get("/collections/shared").json()["retention_days"] == 14


def test_an_enrollment_in_the_meantime_does_not_hinder_saving(admin, service):
    before = service.post("/collections", json={"name": "busy"}).raise_for_status()
    with admin("collections/busy") as page:
        view(page).get_by_label("Days until people are erased").fill("30")
        service.patch("/collections/busy", json={"retention_days": None}).raise_for_status()  # as it was
        assert service.get("/collections/busy").headers["ETag"] != before.headers["ETag"]
        page.get_by_role("button", name="Save changes").click()
        page.get_by_text("Saved.").wait_for()
        assert service.get("/collections/busy").json()["retention_days"] == 30


def test_the_defaults_are_those_in_force(admin, service):
    service.post("/collections", json={"name": "strict", "max_fpir": 0.001}).raise_for_status()
    with admin("collections/strict") as page:
        share, comparisons = page.locator(".setting").nth(0), page.locator(".setting").nth(1)
        expect(share).to_contain_text(re.compile("Empty means the service.s default"))
        expect(comparisons).to_contain_text("Empty means the default: 10,000.")
        view(page).get_by_label("Lookups in which a stranger matches").fill("")
        page.get_by_role("button", name="Save changes").click()
        expect(share).to_contain_text("Empty means the default: 100.")
        detector = service.get("/collections/strict").json()["in_force"]["detector"]
        expect(view(page).get_by_label("Detector", exact=True)).to_have_attribute("placeholder", detector)


def test_a_refused_setting_says_why_and_keeps_what_was_typed(admin):
    with admin("collections/default") as page:
        view(page).get_by_label("Detector", exact=True).fill("nonsense")
        page.get_by_role("button", name="Save changes").click()
        page.locator(".problem").wait_for()
        expect(view(page).get_by_label("Detector", exact=True)).to_have_value("nonsense")


def test_each_setting_is_explained_with_its_default(admin):
    with admin("collections/default") as page:
        settings = page.locator(".setting")
        assert settings.count() == 19
        for each in settings.all():
            control = each.locator("input, select")
            hint = page.locator(f"#{control.get_attribute('aria-describedby')}").inner_text()
            assert len(hint) > 20
        assert "Empty means the default: 100." in settings.first.inner_text()
        assert re.search(
            r"a match needs a similarity of 0\.\d{3} to identify", view(page).locator(".note").inner_text()
        )


# Keys


def test_a_key_is_created_shown_once_used_and_revoked(admin, guarded, service):
    address, _ = guarded
    service.post("/collections", json={"name": "door"}).raise_for_status()
    with admin("keys") as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="New key").click()
        view(page).get_by_label("Name").fill("front-door")
        view(page).get_by_label("enroll", exact=False).first.check()
        view(page).get_by_label("Collections", exact=True).select_option("only these")
        view(page).get_by_label("door", exact=True).check()
        view(page).get_by_label("Expires").select_option("in 90 days")
        page.get_by_text("Limit its requests").click()
        view(page).get_by_label("Rate").fill("100/minute")
        page.get_by_role("button", name="Create the key").click()
        secret = view(page).get_by_label("The new key").input_value()
        page.get_by_role("button", name="Copy").click()
        page.get_by_role("button", name="Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == secret
        me = httpx2.get(f"{address}/me", headers={"Authorization": f"Bearer {secret}"}).raise_for_status().json()
        assert (me["name"], me["scopes"], me["collections"]) == ("front-door", ["recognise", "enroll"], ["door"])
        assert me["rate"] == "100/minute"
        assert me["expires_at"] is not None
        page.get_by_role("button", name="I have kept it").click()
        assert secret not in page.content()
        entry = page.locator(".entries li", has_text="front-door")
        assert "only door" in entry.inner_text()
        entry.get_by_role("button", name="Revoke front-door").click()
        page.locator("#confirm-yes").click()
        expect(entry).to_have_count(0)
        assert httpx2.get(f"{address}/me", headers={"Authorization": f"Bearer {secret}"}).status_code == 401
        view(page).get_by_label("Which keys").select_option("revoked keys")
        entry.get_by_text("revoked", exact=True).wait_for()
        assert entry.get_by_role("button").count() == 0


def test_a_name_that_is_taken_keeps_the_form(admin):
    with admin("keys") as page:
        page.get_by_role("button", name="New key").click()
        view(page).get_by_label("Name").fill("admin")
        page.get_by_role("button", name="Create the key").click()
        page.locator(".problem", has_text="key_exists").wait_for()
        assert view(page).get_by_label("Name").input_value() == "admin"


def test_the_first_key_signs_in_at_once(browser, served, settings, tmp_path):
    prepare_database(settings.model_copy(update={"data_dir": tmp_path}))
    with served(data_dir=tmp_path) as client, opened(browser, str(client.base_url), path="/#/admin/keys") as page:
        page.get_by_text("This service has no key yet").wait_for()
        page.get_by_role("button", name="New key").click()
        view(page).get_by_label("Name").fill("me")
        page.get_by_role("button", name="Create the key").click()
        view(page).get_by_label("The new key").wait_for()
        page.get_by_role("button", name="Signed in as me").wait_for()
        assert view(page).get_by_label("The new key").input_value().startswith("arcid_")
        assert client.get("/collections").status_code == 401
        page.get_by_role("button", name="I have kept it").click()
        page.locator(".entries li", has_text="me").get_by_text("yours").wait_for()
        assert page.locator(".sign-in").count() == 0


# Audit trail


def test_the_trail_is_filtered_verified_and_saved(admin, service):
    service.post("/collections", json={"name": "audited"}).raise_for_status()
    service.patch("/collections/audited", json={"probe_quality": 0.3}).raise_for_status()
    with admin("audit") as page:
        lines = page.locator(".trail li")
        expect(lines.first).to_contain_text("collection.changed")
        view(page).get_by_label("Action").select_option("collection.created")
        view(page).get_by_label("Collection", exact=True).fill("audited")
        view(page).get_by_label("Collection", exact=True).press("Tab")
        expect(lines).to_have_count(1)
        assert "admin" in lines.inner_text()
        page.get_by_role("button", name="Verify the trail").click()
        page.get_by_text(re.compile(r"\d+ lines, unbroken.")).first.wait_for()
        with page.expect_download() as download:
            page.get_by_role("button", name="CSV").click()
        rows = list(csv.DictReader(download.value.path().read_text().splitlines()))
        assert [(row["action"], row["collection"]) for row in rows] == [("collection.created", "audited")]
        with page.expect_download() as download:
            page.get_by_role("button", name="NDJSON").click()
        (line,) = download.value.path().read_text().splitlines()
        assert json.loads(line)["actor"] == "admin"
        view(page).get_by_label("From", exact=True).fill("2001-01-01")
        view(page).get_by_label("To", exact=True).fill("2001-01-02")
        view(page).get_by_label("To", exact=True).press("Tab")
        page.get_by_text("No such line.").wait_for()


def test_a_long_trail_shows_more(admin):
    def many(route):
        start = int(route.request.url.partition("cursor=")[2].partition("&")[0] or 300)
        line: dict[str, Any] = {"at": "2026-01-01T00:00:00Z", "actor": "a", "key_id": None, "detail": {}}
        line |= {"request_id": None, "action": "key.created", "collection": None, "subject": "s"}
        line |= {"previous": "", "sha256": ""}
        lines = [{**line, "seq": at} for at in range(start, start - 100, -1)]
        route.fulfill(json={"lines": lines, "next_cursor": str(start - 100) if start > 100 else None, "unreadable": 1})

    with admin("collections") as page:
        page.route(re.compile(r"/audit\?"), many)
        page.locator(".admin-links").get_by_role("link", name="Audit trail").click()
        page.locator(".trail li").nth(99).wait_for()
        page.get_by_text("1 line cannot be read. Verify the trail.").first.wait_for()
        page.locator(".trail li").nth(99).scroll_into_view_if_needed()
        page.locator(".trail li", has_text="#150").wait_for()
        for _ in range(20):
            page.mouse.wheel(0, 5000)
            page.wait_for_timeout(50)
        page.locator(".trail li", has_text="#1").last.wait_for()


# Traffic


def test_requests_are_counted_over_time(admin, service, group_photo, faceless):
    for content in (group_photo, group_photo, faceless):
        service.post("/identify", files={"photo": content})
    service.post("/verify", files={"probe": group_photo, "reference": faceless})
    for _ in range(30):  # counts arrive up to 10 s late
        if service.get("/statistics").raise_for_status().json()["total"]["requests"].get("identify", 0) >= 3:
            break
        time.sleep(0.5)
    with admin("traffic") as page:
        requests = page.locator("figure", has_text="Requests")
        requests.locator("svg rect").first.wait_for()
        assert requests.locator("svg").get_attribute("aria-hidden") == "true"
        requests.get_by_text("As a table").click()
        row = requests.get_by_role("row").nth(1).inner_text().split()
        assert row[-2:] == ["3", "1"]
        assert "No face" in page.locator(".chart", has_text="Refusals").inner_text()
        page.locator("figure", has_text="Quality of faces").locator("svg circle").first.wait_for()
        page.get_by_label("Operation").select_option("Verify")
        expect(page.locator("figure", has_text="Verdicts")).to_have_count(0)
        page.get_by_label("Period").select_option("last 24 hours")
        page.get_by_label("Operation").select_option("Search")
        page.get_by_text("No request in this period.").wait_for()


def test_a_quick_change_of_a_filter_wins(admin):
    waiting = []

    def hold(route):
        waiting.append(route)

    with admin("traffic") as page:
        page.route(re.compile(r"operation=verify"), hold)
        page.get_by_label("Operation").select_option("Verify")
        page.get_by_label("Operation").select_option("Search")
        page.get_by_text("No request in this period.").wait_for()
        assert page.locator(".problem").count() == 0


# Backups


def test_a_backup_is_made_downloaded_and_deleted(admin, axe):
    with admin("backups", width=390) as page:
        page.get_by_text("No backup yet.").wait_for()
        expect(page.get_by_text("To restore one")).to_be_hidden()
        page.get_by_role("button", name="Start a backup").click()
        page.get_by_text(re.compile(r"arcid-.* is ready\.")).wait_for()
        expect(page.get_by_text("To restore one")).to_contain_text(re.compile(r"run arcid restore /.+\.backup$"))
        expect(page.locator(".entries small")).to_have_text(re.compile(r"^arcid-.+\.backup · [\d.]+ [kM]B · ArcID \d"))
        assert judge(page, axe) == []
        assert beyond_the_edge(page) == []
        with page.expect_download() as download:
            page.get_by_role("button", name="Download").click()
        assert download.value.path().read_bytes()[:2] == b"PK"
        page.get_by_role("button", name="Delete").click()
        page.locator("#confirm-yes").click()
        page.get_by_text("No backup yet.").wait_for()
        expect(page.get_by_text("To restore one")).to_be_hidden()


# Calibration


def test_the_calibration_of_a_collection(admin):
    with admin("calibration") as page:
        assert at(page) == "/admin/calibration/default"
        assert page.locator(".curve .fmr").count() == 1
        page.get_by_text("Not adapted: the shipped curve is in use.").wait_for()
        rows = page.get_by_role("table").get_by_role("row")
        assert rows.count() == 6
        assert re.fullmatch(r"1 in 10,000\s+0\.\d\d", rows.nth(3).inner_text())


# Looks


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_view_fits_and_has_no_violation(admin, axe, width, scheme):
    with admin("collections", width=width, height=844, scheme=scheme) as page:

        def check():
            assert judge(page, axe) == []
            assert beyond_the_edge(page) == []

        check()
        page.get_by_role("button", name="New collection").click()
        check()
        for view in ("collections/default", "keys", "calibration", "audit", "traffic"):
            page.evaluate("view => location.hash = `#/admin/${view}`", view)
            page.locator(".admin-view h2").wait_for()
            page.wait_for_load_state("networkidle")
            check()
            if view == "traffic":
                page.locator(".chart").first.wait_for()
                for table in page.get_by_text("As a table").all():
                    table.click()
                check()
            if view == "keys":
                page.get_by_role("button", name="New key").click()
                page.get_by_text("Limit its requests").click()
                check()
            if view == "collections/default":
                page.get_by_role("button", name="Delete the collection").click()
                page.locator("dialog[open]").wait_for()
                check()
                page.keyboard.press("Escape")


def test_a_key_is_created_with_the_keyboard_alone(admin):
    with admin("collections") as page:
        page.locator(".admin-links a").first.focus()
        while page.evaluate("document.activeElement.textContent") != "API keys":
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="New key").wait_for()
        while page.evaluate("document.activeElement.textContent") != "New key":
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.keyboard.type("typed")
        page.keyboard.press("Enter")
        expect(page.locator(".key-news h3")).to_be_focused()
        while page.evaluate("document.activeElement.textContent") != "I have kept it":
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="New key")).to_be_focused()
        page.locator(".entries li", has_text="typed").wait_for()
