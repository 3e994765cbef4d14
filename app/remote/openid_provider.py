"""Client of an OpenID provider: discovery, keys, tokens and user info (OpenID Connect Discovery 1.0, RFC 6749)."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import httpx2

from app.errors import OpenIdUnavailable, SignInRefused

_TIMEOUT_S = 10.0
_LARGEST = 1_000_000  # bytes of an answer
_HEADERS = {"Accept": "application/json", "User-Agent": "arcid"}
_KEPT_S = 3600.0  # discovery and keys
_AGAIN_S = 10.0  # between two downloads of the keys because of an unknown one
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})


@dataclass(frozen=True, slots=True)
class Client:
    """This service as the provider knows it; `secret` None: a public client."""

    client_id: str
    secret: str | None = None
    scopes: str = "openid"


@dataclass(frozen=True, slots=True)
class Tokens:
    """The provider's answer to an authorization code."""

    id_token: str
    access_token: str | None


@dataclass(frozen=True, slots=True)
class _Cached:
    at: float
    content: dict[str, Any]


def is_allowed(url: str) -> bool:
    """Return whether a provider may have this address: HTTPS, or HTTP on this machine."""
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        return False
    return bool(parsed.host) and (parsed.scheme == "https" or (parsed.scheme == "http" and parsed.host in _LOCAL))


class OpenIdProvider:
    """Client of a provider. The operator has named the issuer; redirects are not followed.

    Every method raises OpenIdUnavailable if the provider does not answer as the standard requires.
    """

    def __init__(self, issuer: str, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self.issuer = issuer
        self.client = client
        self._clock = clock
        self._metadata: _Cached | None = None
        self._keys: _Cached | None = None

    def authorization_url(self, redirect_uri: str, *, state: str, nonce: str, code_challenge: str) -> str:
        """Return the address at which a person signs in; PKCE (RFC 7636) with S256."""
        endpoint = self._endpoint("authorization_endpoint")
        query = {
            "response_type": "code",
            "client_id": self.client.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.client.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query, quote_via=quote)}"

    def tokens(self, code: str, *, code_verifier: str, redirect_uri: str) -> Tokens:
        """Return the tokens for an authorization code; raises SignInRefused if the provider refuses the code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": code_verifier,
        }
        sent, auth = self._authenticated(form)
        answer = self._ask("POST", self._endpoint("token_endpoint"), data=sent, auth=auth)
        if not isinstance(answer.get("id_token"), str):
            raise OpenIdUnavailable("the OpenID provider sent no ID token: add the scope openid")
        access_token = answer.get("access_token")
        return Tokens(answer["id_token"], access_token if isinstance(access_token, str) else None)

    def user_info(self, access_token: str) -> dict[str, Any]:
        """Return the claims of the user info endpoint; none if the provider has no such endpoint."""
        if "userinfo_endpoint" not in self._discovered():
            return {}
        headers = {"Authorization": f"Bearer {access_token}"}
        return self._ask("GET", self._endpoint("userinfo_endpoint"), headers=headers)

    def key(self, key_id: str | None) -> Mapping[str, Any]:
        """Return a public key as a JWK, by its id or the only one; raises SignInRefused if it is unknown."""
        cached = self._keys
        if cached is None or self._clock() - cached.at >= _KEPT_S:
            cached = self._read_keys()
        found = _key_in(cached.content, key_id)
        if found is None and self._clock() - cached.at >= _AGAIN_S:  # the provider may have new keys
            found = _key_in(self._read_keys().content, key_id)
        if found is None:
            raise SignInRefused("the ID token is signed by a key that the OpenID provider does not publish")
        return found

    def _read_keys(self) -> _Cached:
        self._keys = _Cached(self._clock(), self._ask("GET", self._endpoint("jwks_uri")))
        return self._keys

    def _authenticated(self, form: dict[str, str]) -> tuple[dict[str, str], tuple[str, str] | None]:
        """Return the form and the Basic credentials that authenticate this client (RFC 6749, section 2.3.1)."""
        client, methods = self.client, self._discovered().get("token_endpoint_auth_methods_supported")
        if client.secret is None:
            return {**form, "client_id": client.client_id}, None
        if isinstance(methods, list) and "client_secret_basic" not in methods and "client_secret_post" in methods:
            return {**form, "client_id": client.client_id, "client_secret": client.secret}, None
        return form, (quote(client.client_id, safe=""), quote(client.secret, safe=""))

    def _endpoint(self, name: str) -> str:
        url = self._discovered().get(name)
        if not isinstance(url, str) or not is_allowed(url):
            raise OpenIdUnavailable(f"the OpenID provider has no usable {name}: {url!r}")
        return url

    def _discovered(self) -> dict[str, Any]:
        cached = self._metadata
        if cached is None or self._clock() - cached.at >= _KEPT_S:
            content = self._ask("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            if content.get("issuer") != self.issuer:
                raise OpenIdUnavailable(
                    f"the OpenID provider calls itself {content.get('issuer')!r}, not {self.issuer!r}: "
                    "correct ARCID_OIDC__ISSUER"
                )
            cached = self._metadata = _Cached(self._clock(), content)
        return cached.content

    def _ask(
        self,
        method: str,
        url: str,
        *,
        data: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Send a request and return the JSON object of its answer."""
        try:
            with (
                httpx2.Client(timeout=_TIMEOUT_S, headers=_HEADERS) as client,
                client.stream(method, url, data=data, auth=auth, headers=headers) as response,
            ):
                body = _body(response.iter_bytes())
                status = response.status_code
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise OpenIdUnavailable(f"the OpenID provider does not answer: {error or type(error).__name__}") from error
        content = _object(body)
        if status == httpx2.codes.BAD_REQUEST and content.get("error") == "invalid_grant":
            raise SignInRefused("the OpenID provider refused the code: it is used, expired or not for this client")
        if status != httpx2.codes.OK:
            reason = str(content.get("error_description") or content.get("error") or f"status {status}")[:200]
            raise OpenIdUnavailable(f"the OpenID provider refused the request: {reason}")
        return content


def _body(parts: Iterable[bytes]) -> bytes:
    body = bytearray()
    for part in parts:
        body += part
        if len(body) > _LARGEST:
            raise OpenIdUnavailable(f"the OpenID provider's answer has more than {_LARGEST} bytes")
    return bytes(body)


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _key_in(keys: Mapping[str, Any], key_id: str | None) -> Mapping[str, Any] | None:
    listed = keys.get("keys")
    signing = [
        each
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict) and each.get("use", "sig") == "sig"
    ]
    if key_id is None:
        return signing[0] if len(signing) == 1 else None
    return next((each for each in signing if each.get("kid") == key_id), None)
