"""ID tokens: signature and claims (OpenID Connect Core 1.0, section 3.1.3.7)."""

import hmac
from collections.abc import Mapping
from typing import Any

import jwt

from app.errors import SignInRefused

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by the provider's private key. HMAC and `none` are refused."""
_REQUIRED = ("iss", "sub", "aud", "exp", "iat")
_LEEWAY_S = 60.0


def key_id(token: str) -> str | None:
    """Return the id of the key that signed a token, None if the token does not name it.

    Raises SignInRefused if the token is damaged.
    """
    try:
        found = jwt.get_unverified_header(token).get("kid")
    except jwt.PyJWTError as error:
        raise SignInRefused(f"the provider sent a damaged ID token: {error}") from error
    return found if isinstance(found, str) else None


def verified(token: str, key: Mapping[str, Any], *, issuer: str, client_id: str, nonce: str) -> dict[str, Any]:
    """Return the claims of an ID token; raises SignInRefused if it is not valid for this sign-in.

    Args:
        token: The ID token, a signed JWT.
        key: The provider's public key, as a JWK (RFC 7517).
        issuer: Expected `iss`.
        client_id: Expected `aud`, and `azp` if there are several audiences.
        nonce: Value that the authorization request contained.
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            _public_key(key),
            algorithms=ALGORITHMS,
            audience=client_id,
            issuer=issuer,
            leeway=_LEEWAY_S,
            options={"require": list(_REQUIRED)},
        )
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise SignInRefused(f"the ID token is not valid: {error}") from error
    if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != client_id:
        raise SignInRefused("the ID token is not valid: it is for several audiences, and not issued to this client")
    if not hmac.compare_digest(str(claims.get("nonce")).encode(), nonce.encode()):
        raise SignInRefused("the ID token is not valid: its nonce is that of another sign-in")
    return claims


def _public_key(key: Mapping[str, Any]) -> jwt.PyJWK:
    if key.get("kty") not in {"RSA", "EC", "OKP"}:
        raise ValueError(f"the provider's key has the unusable type {key.get('kty')!r}")
    return jwt.PyJWK.from_dict(dict(key))
