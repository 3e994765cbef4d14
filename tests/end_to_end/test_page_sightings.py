"""The view of sightings in Chromium: it shows them as they come, and resumes after the connection was lost."""

import httpx2
import pytest
from playwright.sync_api import expect

from app.notify.sighting import SightingVerdict
from app.notify.sighting_service import SightingService
from app.wiring.storage import open_database
from tests.end_to_end.axe import judge
from tests.end_to_end.browsing import beyond_the_edge, opened
from tests.end_to_end.guarded import guarded_service, sign_in
from tests.notify.sightings import sighting

pytestmark = pytest.mark.browser
UNKNOWN = {"verdict": SightingVerdict.UNKNOWN, "identity_id": None, "name": None, "collection": "default"}


@pytest.fixture(scope="module")
def service(browser, settings, tmp_path_factory):
    """A service with keys and a camera: its address, the key, and a function that records a sighting."""
    folder = tmp_path_factory.mktemp("watched")
    with guarded_service(settings, folder) as (address, keys):
        secret = keys["manage"]
        with httpx2.Client(base_url=address, headers={"Authorization": f"Bearer {secret}"}) as client:
            for camera in ("door", "yard"):
                client.post("/cameras", json={"camera_id": camera, "collection": "default"}).raise_for_status()
        database = open_database(settings.model_copy(update={"data_dir": folder}))
        database.require_current()
        recorder = SightingService(database.engine, database.vault)
        yield address, secret, lambda **changes: recorder.record(sighting(**UNKNOWN | changes))
        database.close()


def test_sightings_appear_as_they_come(service, browser, axe, portrait, tmp_path):
    address, secret, see = service
    with opened(browser, address, path="/#/admin/sightings", width=320, harmless=("Failed to load", "net::")) as page:
        sign_in(page, secret)
        view = page.locator(".admin-view")
        view.get_by_role("heading", name="Live").wait_for()
        view.get_by_text("No sightings yet").wait_for()
        expect(view.get_by_text("new sightings appear here")).to_be_visible()
        assert judge(page, axe) == []

        see(fpir=0.25)
        see(camera="yard", verdict=SightingVerdict.ATTACK, best_shot=portrait)
        entries = view.locator(".sightings li")
        expect(entries).to_have_count(2)
        expect(view.get_by_text("No sightings yet")).to_be_hidden()
        expect(entries.first).to_contain_text("presentation attack")
        expect(entries.first.locator("img")).to_be_visible()
        expect(entries.last).to_contain_text("Unknown person")
        expect(page.locator("#status")).to_have_text("presentation attack: Unknown person, yard")
        assert judge(page, axe) == []
        assert beyond_the_edge(page) == []

        page.route("**/events/stream*", lambda route: route.abort())
        view.locator("select[name=camera]").select_option("door")
        expect(view.get_by_text("The connection is lost")).to_be_visible()
        expect(entries).to_have_count(1)
        see()
        see(camera="yard")
        page.unroute("**/events/stream*")
        expect(entries).to_have_count(2)
        view.locator("select[name=camera]").select_option("")
        expect(entries).to_have_count(4)
