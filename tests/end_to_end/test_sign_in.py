"""Sign-in with another project's OpenID provider: panva's certified `oidc-provider`."""

import base64
import hashlib
import html
import re
import secrets
from contextlib import contextmanager
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
import pytest

from app.cli.demo import serving
from app.config.oidc import OidcSettings
from app.container import Container
from tests.end_to_end.openid import oidc, provided

pytestmark = pytest.mark.network

PAGE = "http://127.0.0.1:1/arcid/"  # nothing listens there: the tests read the redirect


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    with provided(PAGE, tmp_path_factory.mktemp("provider")) as issuer:
        yield issuer


@pytest.fixture(scope="module")
def service(settings, issuer):
    """A client of a service on which people can sign in, and which has no API key."""
    with client_of(settings, oidc(issuer)) as client:
        yield client


@contextmanager
def client_of(settings, oidc):
    with (
        serving(settings.model_copy(update={"oidc": oidc}), port=0) as address,
        httpx2.Client(base_url=address, timeout=60) as client,
    ):
        yield client


class Attempt:
    """A sign-in as a page makes it."""

    def __init__(self, service):
        self.service = service
        self.state, self.nonce, self.verifier = (secrets.token_urlsafe(32) for _ in range(3))

    def address(self):
        digest = hashlib.sha256(self.verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        asked = {"redirect_uri": PAGE, "state": self.state, "nonce": self.nonce, "code_challenge": challenge}
        answer = self.service.post("/sign-in/address", json=asked)
        answer.raise_for_status()
        return answer.json()["url"]

    def code(self, person):
        """Sign in at the provider's own forms, and return the code of its redirect."""
        with httpx2.Client(timeout=60) as browser:
            answer = browser.get(self.address())
            while True:
                while answer.is_redirect:
                    target = urljoin(str(answer.url), answer.headers["location"])
                    if target.startswith(PAGE):
                        query = parse_qs(urlsplit(target).query)
                        assert query["state"] == [self.state]
                        return query["code"][0]
                    answer = browser.get(target)
                answer.raise_for_status()
                action = re.search(r'action="([^"]+)"', answer.text)
                assert action, answer.text
                form = {"prompt": "login", "login": person, "password": "any"}
                if 'name="login"' not in answer.text:
                    form = {"prompt": "consent"}
                answer = browser.post(html.unescape(action[1]), data=form)

    def exchange(self, code, **changes):
        sent = {"code": code, "code_verifier": self.verifier, "nonce": self.nonce, "redirect_uri": PAGE}
        return self.service.post("/sign-in/session", json=sent | changes)


def signed_in(service, person):
    attempt = Attempt(service)
    answer = attempt.exchange(attempt.code(person))
    assert answer.status_code == 201, answer.text
    return answer.json()


def bearer(session):
    return {"Authorization": f"Bearer {session['key']}"}


def refused(answer, status, code):
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def test_the_service_says_how_to_sign_in_and_serves_nobody_else(service):
    assert service.get("/sign-in").json() == {"provider": {"name": "your organization"}}
    refused(service.get("/collections"), 401, "key_missing")


def test_a_session_has_the_permissions_of_the_first_granted_group(service):
    ada, bob = signed_in(service, "ada"), signed_in(service, "bob")
    assert (ada["name"], ada["scopes"], ada["collections"]) == ("ada", ["admin"], None)
    assert (bob["name"], bob["scopes"], bob["collections"]) == ("bob", ["recognise"], ["staff"])
    assert service.get("/collections", headers=bearer(ada)).status_code == 200
    refused(service.get("/collections", headers=bearer(bob)), 403, "scope_missing")
    refused(service.get("/calibration?collection=default", headers=bearer(bob)), 403, "collection_forbidden")


def test_a_person_without_a_granted_group_is_refused(service):
    attempt = Attempt(service)
    refused(attempt.exchange(attempt.code("eve")), 403, "sign_in_refused")


def test_a_code_works_once_and_only_with_its_verifier_and_nonce(service):
    attempt = Attempt(service)
    code = attempt.code("ada")
    refused(attempt.exchange(code, code_verifier="x" * 43), 403, "sign_in_refused")
    attempt = Attempt(service)
    refused(attempt.exchange(attempt.code("ada"), nonce="another"), 403, "sign_in_refused")
    attempt = Attempt(service)
    code = attempt.code("ada")
    assert attempt.exchange(code).status_code == 201
    refused(attempt.exchange(code), 403, "sign_in_refused")


def test_sessions_are_listed_and_ended(service):
    ada, bob = signed_in(service, "ada"), signed_in(service, "bob")
    listed = service.get("/sessions", headers=bearer(ada)).json()["sessions"]
    assert {ada["session_id"], bob["session_id"]} <= {each["session_id"] for each in listed}
    assert all("key" not in each for each in listed)
    refused(service.delete(f"/sessions/{ada['session_id']}", headers=bearer(bob)), 403, "scope_missing")
    assert service.delete("/sessions/current", headers=bearer(bob)).status_code == 204  # signs out
    refused(service.delete(f"/sessions/{bob['session_id']}", headers=bearer(ada)), 404, "session_unknown")
    assert service.delete(f"/sessions/{ada['session_id']}", headers=bearer(ada)).status_code == 204


def test_a_session_works_at_once(service):
    for _ in range(3):
        guess = {"Authorization": "Bearer unknown"}
        assert service.get("/collections", headers=guess).status_code == 401  # reads all keys now
        ada = signed_in(service, "ada")
        assert service.get("/collections", headers=bearer(ada)).status_code == 200


def test_sign_ins_are_in_the_audit_trail(service, settings):
    ada = signed_in(service, "ada")
    service.post("/collections", json={"name": "of-ada"}, headers=bearer(ada)).raise_for_status()
    with Container(settings) as container:
        lines = [each.entry for each in container.trail.lines()]
    started = next(each for each in reversed(lines) if each.action == "session.started")
    assert (started.actor, started.subject, started.key_id) == ("ada", "ada", ada["session_id"])
    assert started.request_id
    created = next(each for each in reversed(lines) if each.action == "collection.created")
    assert (created.actor, created.key_id, created.collection) == ("ada", ada["session_id"], "of-ada")


def test_a_public_client_needs_no_secret(settings, issuer):
    with client_of(settings, oidc(issuer, client_id="public", client_secret=None)) as client:
        assert signed_in(client, "bob")["name"] == "bob"


@pytest.mark.parametrize("other", ["http://127.0.0.1:1", "http://localhost:1/other"])
def test_an_unreachable_provider_is_named(settings, other):
    with client_of(settings, oidc(other)) as client:
        asked = {"redirect_uri": PAGE, "state": "s", "nonce": "n", "code_challenge": "x" * 43}
        refused(client.post("/sign-in/address", json=asked), 503, "open_id_unavailable")


def test_without_a_provider_people_need_a_key(settings):
    with client_of(settings, OidcSettings()) as client:
        assert client.get("/sign-in").json() == {"provider": None}
        asked = {"redirect_uri": PAGE, "state": "s", "nonce": "n", "code_challenge": "x" * 43}
        refused(client.post("/sign-in/address", json=asked), 404, "sign_in_disabled")
