import pytest

from app.access.keys import Scope
from app.access.oidc.grants import EVERYBODY, Grant, grant_of
from app.errors import SignInRefused

ADMIN = Grant("admins", frozenset({Scope.ADMIN}))
DOOR = Grant("door", frozenset({Scope.RECOGNISE}), frozenset({"staff"}))


@pytest.mark.parametrize(
    ("claims", "claim"),
    [
        ({"groups": ["door", "others"]}, "groups"),
        ({"groups": "door"}, "groups"),
        ({"realm_access": {"roles": ["door"]}}, "realm_access.roles"),
        ({"https://example.org/groups": ["door"]}, "https://example.org/groups"),
    ],
)
def test_the_claim_names_the_groups(claims, claim):
    assert grant_of(claims, claim, [ADMIN, DOOR]) is DOOR


def test_the_first_grant_applies_and_none_are_united():
    assert grant_of({"groups": ["door", "admins"]}, "groups", [ADMIN, DOOR]) is ADMIN
    assert grant_of({"groups": ["admins", "door"]}, "groups", [DOOR, ADMIN]) is DOOR


def test_a_star_is_everybody():
    everybody = Grant(EVERYBODY, frozenset({Scope.RECOGNISE}))
    assert grant_of({}, "groups", [ADMIN, everybody]) is everybody


@pytest.mark.parametrize("groups", [None, [], ["others"], [1, None, {"door": 1}], {"door": True}, "doors", "*", ["*"]])
def test_others_are_refused(groups):
    with pytest.raises(SignInRefused, match="groups"):
        grant_of({"groups": groups}, "groups", [ADMIN, DOOR])
