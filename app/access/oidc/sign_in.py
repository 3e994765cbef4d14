"""Sign-in with an OpenID provider: authorization code with PKCE, then a session (OpenID Connect Core 1.0, 3.1)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from app.access.keys import ApiKey, NewSession
from app.access.oidc import id_token
from app.access.oidc.grants import Grant, grant_of
from app.access.sessions import SessionStore
from app.errors import SignInRefused
from app.names import nfc
from app.remote.openid_provider import OpenIdProvider, Tokens

_LONGEST_NAME = 64
_LONGEST_SUBJECT = 255
_NAMES = ("preferred_username", "email", "name", "sub")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class SignInRules:
    """Permissions of people who sign in, and the length of their sessions; see `grant_of` for claim and grants."""

    claim: str
    grants: Sequence[Grant]
    lifetime: timedelta


class SignInService:
    """Exchanges a provider's authorization code for a session."""

    def __init__(self, provider: OpenIdProvider, rules: SignInRules, sessions: SessionStore) -> None:
        self.provider = provider
        self._rules = rules
        self._sessions = sessions

    def sign_in(self, code: str, *, code_verifier: str, nonce: str, redirect_uri: str) -> tuple[ApiKey, str]:
        """Return a new session and its secret.

        Raises SignInRefused if the provider does not confirm the person or nothing is granted to the person, and
        OpenIdUnavailable if the provider does not answer as the standard requires.
        """
        tokens = self.provider.tokens(code, code_verifier=code_verifier, redirect_uri=redirect_uri)
        claims = self._claims(tokens, nonce)
        grant = grant_of(claims, self._rules.claim, self._rules.grants)
        session = NewSession(_subject(claims), _name(claims), grant.scopes, grant.collections)
        return self._sessions.start(session, self._rules.lifetime)

    def _claims(self, tokens: Tokens, nonce: str) -> Mapping[str, Any]:
        """Return the claims of the ID token and the user info. If both have a claim, that of the ID token counts."""
        key = self.provider.key(id_token.key_id(tokens.id_token))
        issuer, client_id = self.provider.issuer, self.provider.client.client_id
        claims = id_token.verified(tokens.id_token, key, issuer=issuer, client_id=client_id, nonce=nonce)
        if tokens.access_token is None:
            return claims
        more = self.provider.user_info(tokens.access_token)
        if more and more.get("sub") != claims["sub"]:
            raise SignInRefused("the OpenID provider's user info is about another person")
        return {**more, **claims}


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise SignInRefused(f"the ID token's subject is not a text of 1 to {_LONGEST_SUBJECT} characters")
    return subject


def _name(claims: Mapping[str, Any]) -> str:
    """Return the name that lists and the audit trail show."""
    found = next(each for each in map(claims.get, _NAMES) if isinstance(each, str) and each.strip())
    return _UNPRINTABLE.sub("", nfc(found)).strip()[:_LONGEST_NAME] or "person"
