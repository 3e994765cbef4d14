"""The settings of sign-in with an OpenID provider."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from app.access.keys import Scope
from app.config.groups import Group
from app.names import CollectionName
from app.remote.openid_provider import is_allowed


def _issuer(text: str | None) -> str | None:
    """Return an issuer's URL. Raises ValueError unless it is HTTPS, or HTTP on this machine."""
    if text is not None and not is_allowed(text):
        raise ValueError(f"{text!r} is not an https:// URL: plain HTTP is possible only on this machine")
    return text


class GrantSettings(Group):
    """Permissions of a group of people at the OpenID provider."""

    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, description="Scopes of the group.")]
    collections: Annotated[
        tuple[CollectionName, ...] | None, Field(min_length=1, description="Collections of the group. Default: all.")
    ] = None


class OidcSettings(Group):
    """Sign-in of people with an OpenID provider."""

    issuer: Annotated[
        str | None,
        AfterValidator(_issuer),
        Field(description="URL of the OpenID provider, exactly as its discovery document states it; enables sign-in."),
    ] = None
    client_id: Annotated[str, Field(description="Id of this service at the provider.")] = "arcid"
    client_secret: Annotated[
        SecretStr | None, Field(description="Secret of this service at the provider. Default: a public client.")
    ] = None
    name: Annotated[
        str, Field(min_length=1, max_length=64, description="Name of the provider on the page's sign-in button.")
    ] = "your organization"
    scopes: Annotated[str, Field(pattern=r"\bopenid\b", description="Scopes to request from the provider.")] = (
        "openid profile email"
    )
    claim: Annotated[
        str,
        Field(min_length=1, description="Claim with a person's groups; dots lead into objects: realm_access.roles."),
    ] = "groups"
    grants: dict[str, GrantSettings] = Field(
        default_factory=dict,
        description="Permissions by group, as JSON. The first group that a person has applies; `*` is everybody.",
    )
    session_hours: Annotated[float, Field(gt=0, le=720, description="Hours until a person must sign in again.")] = 8
