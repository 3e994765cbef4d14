import pytest

from app.access.keys import ANONYMOUS, Principal, Scope
from app.errors import CollectionForbidden, ScopeMissing


@pytest.mark.parametrize("scope", Scope)
def test_a_scope_allows_itself_and_admin_all(scope):
    principal = Principal("p", frozenset({scope}))
    for wanted in Scope:
        if wanted is scope or scope is Scope.ADMIN:
            principal.require(wanted)
        else:
            with pytest.raises(ScopeMissing, match=wanted.value):
                principal.require(wanted)


def test_a_restricted_principal_has_no_other_collection():
    principal = Principal("p", frozenset({Scope.ADMIN}), frozenset({"a"}))
    principal.require_collection("a")
    assert principal.may_use("a")
    assert not principal.may_use("b")
    with pytest.raises(CollectionForbidden):
        principal.require_collection("b")


def test_an_empty_restriction_is_not_none():
    assert not Principal("p", frozenset(Scope), frozenset()).may_use("a")


def test_without_keys_everybody_may_do_all():
    for scope in Scope:
        ANONYMOUS.require(scope)
    ANONYMOUS.require_collection("a")


def test_the_old_spelling_of_a_scope_is_accepted():
    assert Scope("enrol") is Scope.ENROLL  # the old spelling
    with pytest.raises(ValueError, match="entry"):
        Scope("entry")
