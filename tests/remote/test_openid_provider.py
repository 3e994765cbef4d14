"""Answers that an OpenID provider must not give; a real provider is in tests/end_to_end/test_sign_in.py."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from app.errors import OpenIdUnavailable, SignInRefused
from app.remote.openid_provider import Client, OpenIdProvider, is_allowed

CLIENT = Client("arcid", "secret")
KEYS = {"keys": [{"kid": "a", "kty": "RSA"}, {"kid": "b", "kty": "RSA", "use": "enc"}]}


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@contextmanager
def site(pages):
    """Yield the address of a server with `pages`: path -> (status, bytes); `{here}` becomes its address."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            length = int(self.headers.get("Content-Length", 0))
            self.rfile.read(length)
            status, body = pages[self.path]
            body = body.replace(b"{here}", here.encode())
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, format, *args):  # noqa: A002 - the base class' name
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        here = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield here, asked
        finally:
            server.shutdown()
            thread.join()


def discovery(**changes):
    endpoints = {name: f"{{here}}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    return 200, json.dumps({"issuer": "{here}", **endpoints, **changes}).encode()


DISCOVERY = "/.well-known/openid-configuration"


@pytest.mark.parametrize(
    ("pages", "reason"),
    [
        ({DISCOVERY: (404, b"")}, "status 404"),
        ({DISCOVERY: (302, b"")}, "status 302"),
        ({DISCOVERY: (200, b"<html>")}, "calls itself None"),
        ({DISCOVERY: (200, b"[" * 100_000)}, "calls itself None"),
        ({DISCOVERY: discovery(issuer="https://other.example.org")}, "calls itself 'https://other.example.org'"),
        ({DISCOVERY: (200, b" " * 1_000_001)}, "more than 1000000 bytes"),
        ({DISCOVERY: discovery(authorization_endpoint=None)}, "no usable authorization_endpoint"),
        (
            {DISCOVERY: discovery(authorization_endpoint="http://other.example.org/")},
            "no usable authorization_endpoint",
        ),
        ({DISCOVERY: discovery(authorization_endpoint="javascript:alert(1)")}, "no usable authorization_endpoint"),
    ],
)
def test_a_wrong_discovery_is_named(pages, reason):
    with site(pages) as (here, _), pytest.raises(OpenIdUnavailable, match=reason):
        OpenIdProvider(here, CLIENT).authorization_url("https://x/", state="s", nonce="n", code_challenge="c")


def test_the_address_has_all_parameters():
    with site({DISCOVERY: discovery(authorization_endpoint="{here}/auth?tenant=1")}) as (here, asked):
        provider = OpenIdProvider(here, CLIENT)
        for _ in range(2):
            url = provider.authorization_url("https://x/a b", state="s&", nonce="n", code_challenge="c")
        assert url.startswith(
            f"{here}/auth?tenant=1&response_type=code&client_id=arcid&redirect_uri=https%3A%2F%2Fx%2Fa%20b"
        )
        assert "state=s%26" in url
        assert asked == [DISCOVERY]


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        ((400, b'{"error": "invalid_grant"}'), SignInRefused, "refused the code"),
        ((401, b'{"error": "invalid_client", "error_description": "wrong secret"}'), OpenIdUnavailable, "wrong secret"),
        ((200, b'{"access_token": "a"}'), OpenIdUnavailable, "no ID token"),
        ((200, b'{"id_token": 1}'), OpenIdUnavailable, "no ID token"),
        ((500, b""), OpenIdUnavailable, "status 500"),
    ],
)
def test_a_wrong_answer_to_a_code_is_named(answer, error, reason):
    with site({DISCOVERY: discovery(), "/token_endpoint": answer}) as (here, _), pytest.raises(error, match=reason):
        OpenIdProvider(here, CLIENT).tokens("code", code_verifier="v", redirect_uri="https://x/")


def test_new_keys_are_read_when_a_token_names_one():
    clock, pages = Clock(), {DISCOVERY: discovery(), "/jwks_uri": (200, json.dumps(KEYS).encode())}
    with site(pages) as (here, asked):
        provider = OpenIdProvider(here, CLIENT, clock)
        assert provider.key("a")["kid"] == "a"
        assert provider.key(None)["kid"] == "a"  # the only one for signatures
        pages["/jwks_uri"] = 200, json.dumps({"keys": [{"kid": "c", "kty": "RSA"}]}).encode()
        with pytest.raises(SignInRefused):
            provider.key("c")  # not yet: unknown keys must not make a request each
        clock.now += 11
        assert provider.key("c")["kid"] == "c"
        assert asked.count("/jwks_uri") == 2
        with pytest.raises(SignInRefused):
            provider.key("b")


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://id.example.org/realms/x", True),
        ("http://localhost:8080", True),
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:8080", True),
        ("http://id.example.org", False),
        ("http://localhost.example.org", False),
        ("ftp://localhost", False),
        ("https://", False),
        ("id.example.org", False),
    ],
)
def test_a_provider_is_reached_by_tls_or_on_this_machine(url, allowed):
    assert is_allowed(url) is allowed
