"""Schemas of sign-in and sessions."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictStr, StringConstraints

from app.access.keys import ApiKey, Scope
from app.api.schemas.fields import StrictSchema

_URI = StringConstraints(min_length=1, max_length=2048, pattern=r"^https?://[!\x22$-~]+$")
_VERIFIER = StringConstraints(pattern=r"^[A-Za-z0-9._~-]{43,128}$")
_CHALLENGE = StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")
_SHORT = StringConstraints(min_length=1, max_length=512)

RedirectUri = Annotated[
    StrictStr, _URI, Field(description="The page's own address, as registered with the provider; no fragment.")
]
Nonce = Annotated[StrictStr, _SHORT, Field(description="Random value of this sign-in; the ID token repeats it.")]


class ProviderSchema(BaseModel):
    """An OpenID provider."""

    name: str


class SignInOptions(BaseModel):
    """The ways to sign in, besides an API key."""

    provider: Annotated[ProviderSchema | None, Field(description="Null: people need an API key.")]


class AddressRequest(StrictSchema):
    """The start of a sign-in (RFC 6749, section 4.1.1)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "redirect_uri": "https://faces.example.org/",
                    "state": "6mGFtW0Z",
                    "nonce": "kW3Q9vZk",
                    "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
                }
            ]
        }
    )

    redirect_uri: RedirectUri
    state: Annotated[StrictStr, _SHORT, Field(description="Random value that the provider returns with the code.")]
    nonce: Nonce
    code_challenge: Annotated[
        StrictStr, _CHALLENGE, Field(description="SHA-256 of the code verifier, in base64url without padding.")
    ]


class SignInAddress(BaseModel):
    """Where a person signs in."""

    url: str


class SessionRequest(StrictSchema):
    """The end of a sign-in (RFC 6749, section 4.1.3)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "code": "SplxlOBeZQQYbYS6WxSbIA",
                    "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
                    "nonce": "kW3Q9vZk",
                    "redirect_uri": "https://faces.example.org/",
                }
            ]
        }
    )

    code: Annotated[
        StrictStr, StringConstraints(min_length=1, max_length=4096), Field(description="The provider's code.")
    ]
    code_verifier: Annotated[StrictStr, _VERIFIER, Field(description="The value of which the address has the SHA-256.")]
    nonce: Nonce
    redirect_uri: RedirectUri


class SessionSchema(BaseModel):
    """A person's session."""

    session_id: Annotated[str, Field(description="Shown as `key_id` in the log and in the audit trail.")]
    name: str
    scopes: list[Scope]
    collections: Annotated[list[str] | None, Field(description="Null: all collections.")]
    created_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, session: ApiKey) -> "SessionSchema":
        """Return a session as answers show it."""
        if session.expires_at is None:
            raise ValueError("a session has an end")
        return cls(
            session_id=session.key_id,
            name=session.name,
            scopes=[each for each in Scope if each in session.scopes],
            collections=None if session.collections is None else sorted(session.collections),
            created_at=session.created_at,
            expires_at=session.expires_at,
        )


class StartedSession(SessionSchema):
    """A new session with its secret, which is shown only once."""

    key: Annotated[str, Field(description="Send it as `Authorization: Bearer`, as an API key.")]


class SessionsSchema(BaseModel):
    """All sessions."""

    sessions: list[SessionSchema]
