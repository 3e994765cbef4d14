"""Grants: what a person may do, by their groups at the OpenID provider. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from app.access.keys import Scope
from app.errors import SignInRefused

EVERYBODY = "*"
"""The group of everybody who can sign in."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Permissions of a group; `collections` None: all collections."""

    group: str
    scopes: frozenset[Scope]
    collections: frozenset[str] | None = None


def grant_of(claims: Mapping[str, object], claim: str, grants: Sequence[Grant]) -> Grant:
    """Return the first grant whose group the claims name; raises SignInRefused without one.

    The permissions of several groups are not united: a person in two groups has those of the first grant.

    Args:
        claims: Claims of the ID token and the user info.
        claim: Name of the claim with the groups; dots lead into objects, as in `realm_access.roles`.
        grants: Grants by priority.
    """
    groups = _groups(claims, claim)
    for each in grants:
        if each.group in groups or each.group == EVERYBODY:
            return each
    raise SignInRefused(f"no group of this person has a grant: the claim {claim!r} names none of the granted groups")


def _groups(claims: Mapping[str, object], claim: str) -> Collection[str]:
    found: object = claims.get(claim, claims)
    if found is claims:  # a claim may have dots in its own name: Auth0's are URLs
        for name in claim.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return {found}
    return {each for each in found if isinstance(each, str)} if isinstance(found, list) else set()
