"""Photos by URL through the whole application; the work behind it is a fake, the photos' server is real."""

import asyncio
import threading
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from app.errors import NothingEnrolled, PhotoRefused, RejectedPhoto
from app.main import create_app
from app.recognition.enrollment import Enrollment
from app.recognition.examination import Examination
from app.recognition.identification import Identification
from app.remote.fetching import Fetcher, FetchLimits
from tests.api.fakes import Identifying, services_of, settings_of
from tests.api.test_errors import expect
from tests.remote.servers import PUBLIC, Names, internet, page, redirect

PAGES = {
    "/1.jpg": page(b"one"),
    "/2.jpg": page(b"two"),
    "/private": redirect("http://inside.photos.example/"),
    "/large": page(bytes(100_001)),
}


class Seeing(Identifying):
    """Remembers the photos that came, whatever was asked."""

    def __init__(self):
        super().__init__()
        self.photos = []

    def identify(self, _photo, **options):
        self.photos.append(_photo)
        return super().identify(_photo, **options)

    def examine(self, photo, **_):
        self.photos.append(photo)
        return Examination([], is_flip_averaged=False, model="m", dimension=4)

    def enroll(self, photos, **_):
        rejected = [
            RejectedPhoto(n, each.code, str(each)) for n, each in enumerate(photos) if not isinstance(each, bytes)
        ]
        self.photos += [each for each in photos if not isinstance(each, PhotoRefused)]
        if len(rejected) == len(photos):
            raise NothingEnrolled("no photo was accepted", rejected)
        return Enrollment("ada", [], rejected)


@pytest.fixture(scope="module")
def site():
    """The photos' server and the parts of its fetcher, in a separate thread."""
    ready: Future[Any] = Future()
    end = threading.Event()

    async def run():
        async with internet(PAGES, Names(photos_example=[[PUBLIC]], inside_photos_example=[["127.0.0.2"]])) as made:
            ready.set_result(made)
            await asyncio.to_thread(end.wait)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    fetcher, public, _, names = ready.result(10)
    yield SimpleNamespace(
        port=public.port, rules=fetcher._rules, is_allowed=fetcher._is_allowed, names=names, public=public
    )
    end.set()
    thread.join()


@pytest.fixture
def seeing():
    return Seeing()


@pytest.fixture
def client(site, seeing):
    services = services_of(seeing)
    services.examination = services.enrollment = seeing
    app = create_app(settings_of(bodies_bytes=150_000, body_bytes=100_000), services)
    with TestClient(app, raise_server_exceptions=False) as client:
        bounds = FetchLimits(max_bytes=100_000, seconds=5, redirects=3, at_once=4)
        app.state.fetcher = Fetcher(site.rules, bounds, resolve=site.names, is_allowed=site.is_allowed)
        yield client
        assert app.state.body_budget.held == 0


@pytest.fixture
def url(site):
    return lambda path, host="photos.example": f"http://{host}:{site.port}{path}"


@pytest.mark.parametrize("path", ["/identify", "/detect"])
def test_one_photo(client, seeing, url, path):
    assert client.post(path, json={"photo_url": url("/1.jpg")}).status_code == 200
    assert client.post(path, data={"photo_url": url("/2.jpg")}, files={"x": b""}).status_code == 422
    assert client.post(path, files={"photo_url": (None, url("/2.jpg"))}).status_code == 200
    assert seeing.photos == [b"one", b"two"]


def test_bytes_are_taken_as_ever(client, seeing, site):
    before = len(site.public.requests)
    assert client.post("/identify", json={"photo": "A" * 32}).status_code == 200
    assert client.post("/identify", files={"photo": b"abc"}).status_code == 200
    assert seeing.photos == [bytes(24), b"abc"]
    assert len(site.public.requests) == before


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/identify", {}),
        ("/identify", {"photo": "A" * 32, "photo_url": "http://photos.example/"}),
        ("/identify", {"photo_url": ""}),
        ("/identify", {"photo_url": None}),
        ("/identify", {"photo_url": []}),
        ("/identify", {"photo_url": ["http://photos.example/"] * 2}),
        ("/identify", {"photo_url": ["http://photos.example/"] * 11, "photos_of": "one_person"}),
        ("/identify", {"photo_url": "x" * 2049}),
        ("/detect", {}),
        ("/embed", {"flip": True}),
        ("/enroll", {}),
        ("/enroll", {"photos": []}),
        ("/enroll", {"photo_urls": []}),
        ("/enroll", {"photo_urls": ["http://photos.example/"] * 51}),
        ("/enroll", {"photos": ["A" * 32], "photo_urls": ["http://photos.example/"]}),
        ("/verify", {"probe": "A" * 32}),
        ("/verify", {"probe_url": "http://photos.example/"}),
        ("/verify", {"reference": "A" * 32}),
        ("/verify", {"probe": "A" * 32, "probe_url": "http://photos.example/", "identity_id": "a"}),
        ("/verify", {"probe": "A" * 32, "reference_url": "http://photos.example/", "identity_id": "a"}),
        ("/verify", {"probe": "A" * 32, "reference_url": "http://photos.example/", "reference": "A" * 32}),
    ],
)
def test_exactly_one_source_of_each_photo(client, path, body):
    expect(client.post(path, json=body), 422, "request_invalid")


def test_a_probe_and_a_reference(client, seeing, url):
    def verify_photo(probe, reference, **_):
        seeing.photos += [*probe, reference]
        raise PhotoRefused

    client.app.state.services.verification = SimpleNamespace(
        verify_photo=verify_photo, verify_identity=lambda probe, identity, **_: verify_photo(probe, identity)
    )
    for body in (
        {"probe_url": url("/1.jpg"), "reference_url": url("/2.jpg")},
        {"probe": "A" * 32, "reference_url": url("/2.jpg")},
        {"probe_url": url("/1.jpg"), "reference": "A" * 32},
        {"probe_url": url("/1.jpg"), "identity_id": "ada"},
        {"probe_url": [url("/1.jpg"), url("/2.jpg")], "reference_url": url("/2.jpg")},
    ):
        client.post("/verify", json=body)
    assert seeing.photos == [
        b"one",
        b"two",
        bytes(24),
        b"two",
        b"one",
        bytes(24),
        b"one",
        "ada",
        b"one",
        b"two",
        b"two",
    ]


def test_a_probe_with_a_refused_photo(client, seeing, url):
    def identify_person(photos, **_):
        seeing.photos += photos
        return Identification([], 0.5)

    client.app.state.services.identification = SimpleNamespace(identify_person=identify_person)
    body = {"photo_url": [url("/1.jpg"), url("/private")], "photos_of": "one_person"}
    assert client.post("/identify", json=body).status_code == 200
    assert seeing.photos[0] == b"one"
    assert isinstance(seeing.photos[1], PhotoRefused)
    answer = client.post("/verify", json={"probe": "A" * 32, "reference_url": url("/private")})
    expect(answer, 422, seeing.photos[1].code)


def test_photos_of_an_enrollment_are_refused_one_by_one(client, seeing, url):
    urls = [url("/1.jpg"), url("/private"), "ftp://x/", url("/large"), url("/2.jpg")]
    with capture_logs() as lines:
        answer = client.post("/enroll", json={"photo_urls": urls})
    assert answer.status_code == 200
    assert [(each["photo"], each["code"]) for each in answer.json()["rejected"]] == [
        (1, "url_unreachable"),
        (2, "url_not_allowed"),
        (3, "too_many_bytes"),
    ]
    assert seeing.photos == [b"one", b"two"]
    (line,) = [each for each in lines if each["event"] == "photo.refused"]
    assert line["reason"] == "photos.example: redirect: photos are not fetched from the URL's port"
    assert "reason" not in answer.text


def test_an_enrollment_of_which_nothing_came(client, url):
    answer = client.post("/enroll", json={"photo_urls": [url("/private")]})
    expect(answer, 422, "nothing_enrolled")
    assert answer.json()["rejected"][0]["detail"] == "the URL gave no photo"


def test_form_with_several_urls(client, seeing, url):
    fields = [("photo_urls", (None, url("/1.jpg"))), ("photo_urls", (None, url("/2.jpg")))]
    assert client.post("/enroll", files=fields).status_code == 200
    assert seeing.photos == [b"one", b"two"]


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("http://photos.example:PORT/private", 422, "url_unreachable"),
        ("http://photos.example:PORT/none", 422, "url_unreachable"),
        ("http://inside.photos.example:PORT/1.jpg", 422, "url_unreachable"),
        ("http://127.0.0.2:PORT/1.jpg", 422, "url_unreachable"),
        ("http://169.254.169.254/latest/meta-data/", 422, "url_not_allowed"),
        ("http://localhost:PORT/", 422, "url_not_allowed"),
        ("file:///etc/passwd", 422, "url_not_allowed"),
        ("http://photos.example:PORT/large", 413, "too_many_bytes"),
    ],
)
def test_what_is_said_of_a_photo_that_does_not_come(client, site, address, status, code):
    answer = client.post("/identify", json={"photo_url": address.replace("PORT", str(site.port))})
    expect(answer, status, code)
    assert "127.0.0" not in answer.text
    assert f'arcid_photos_fetched_total{{outcome="{code}"}} 1.0' in client.get("/metrics").text


def test_what_was_fetched_is_held_with_the_bodies(client, site, url):
    site.public.pages["/heavy"] = page(bytes(80_000))
    answer = client.post("/enroll", json={"photo_urls": [url("/heavy")] * 2})
    expect(answer, 503, "overloaded")
    assert client.post("/enroll", json={"photo_urls": [url("/heavy")]}).status_code == 200


def test_one_request_does_not_take_all_places(client, site, url):
    now = most = 0

    async def slow(_, writer):
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.05)
        now -= 1
        writer.write(page(b"photo"))

    site.public.pages["/slow"] = slow
    client.app.state.fetcher._places = asyncio.Semaphore(20)
    assert client.post("/enroll", json={"photo_urls": [url("/slow")] * 12}).status_code == 200
    assert most == 4


def test_off_by_default(seeing):
    with TestClient(create_app(settings_of(), services_of(seeing)), raise_server_exceptions=False) as client:
        answer = client.post("/identify", json={"photo_url": "https://photos.example/1.jpg"})
        expect(answer, 403, "urls_disabled")


def test_the_setting_switches_it_on(seeing):
    urls = {"is_enabled": True, "hosts": "localhost", "schemes": "http", "ports": "9"}
    with TestClient(create_app(settings_of(urls=urls), services_of(seeing)), raise_server_exceptions=False) as client:
        answer = client.post("/identify", json={"photo_url": "http://localhost:9/1.jpg"})
        expect(answer, 422, "url_unreachable")  # the real resolver, the real rule


@pytest.mark.parametrize("hosts", ["", "https://x.example"])
def test_on_without_hosts_stops_the_start(hosts):
    with pytest.raises(Exception, match="ARCID_URLS__HOSTS"):
        create_app(settings_of(urls={"is_enabled": True, "hosts": hosts}))


def test_the_document_says_one_of_two(client):
    document = client.get("/openapi.json").json()
    forms = [document["components"]["schemas"][f"{name}RequestForm"] for name in ("Identify", "Detect", "Embed")]
    for schema in (*forms, document["paths"]["/identify"]["post"]["requestBody"]["x-json-body"]["schema"]):
        assert [each["required"] for each in schema["allOf"][0]["oneOf"]] == [["photo"], ["photo_url"]]
        assert "default" not in schema["properties"]["photo"]
