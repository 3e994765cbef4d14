from datetime import UTC, datetime, timedelta

import pytest

from app.access.key_cache import Access
from app.access.key_service import KeyService
from app.access.keys import ANONYMOUS, KeyState, NewKey, Principal, Scope
from app.access.rates import UNLIMITED, Rate
from app.access.trail import Trail
from app.errors import GrantForbidden, KeyInvalid, KeyMissing, KeyUnknown, LastAdminKey, RequestInvalid

ADMIN = Principal("root", frozenset({Scope.ADMIN}), key_id="00000000")
SOON = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def access(keys):
    return Access(keys)


@pytest.fixture
def service(keys, access):
    return KeyService(keys, access)


def caller(keys, name="root", scopes=(Scope.ADMIN,), collections=None, **more):
    """Create a key and return it as the caller that uses it."""
    key, _ = keys.create(NewKey(name, scopes, collections, **more))
    return Principal(name, key.scopes, key.collections, key.key_id, key.rate, key.quota, key.expires_at)


def test_an_admin_creates_a_key_of_any_scope(service, keys):
    made, secret = service.create(ADMIN, NewKey("door", list(Scope), rate=Rate(5, 60)))
    assert made.scopes == set(Scope)
    assert keys.all() == [made]
    assert secret.startswith(f"arcid_{made.key_id}_")


@pytest.mark.parametrize(
    ("own", "key"),
    [
        (Principal("door", frozenset({Scope.MANAGE})), NewKey("x", [Scope.ADMIN])),
        (Principal("door", frozenset({Scope.MANAGE})), NewKey("x", [Scope.MANAGE, Scope.SEARCH])),
        (Principal("staff", frozenset({Scope.ADMIN}), frozenset({"staff"})), NewKey("x", [Scope.ENROLL])),
        (Principal("staff", frozenset({Scope.ADMIN}), frozenset({"staff"})), NewKey("x", [Scope.ENROLL], ["visitors"])),
        (Principal("short", frozenset({Scope.ADMIN}), expires_at=SOON), NewKey("x", [Scope.ENROLL])),
        (
            Principal("short", frozenset({Scope.ADMIN}), expires_at=SOON),
            NewKey("x", [Scope.ENROLL], expires_at=SOON + timedelta(seconds=1)),
        ),
        (Principal("slow", frozenset({Scope.ADMIN}), rate=Rate(6, 60)), NewKey("x", [Scope.ENROLL], rate=Rate(1, 1))),
        (Principal("slow", frozenset({Scope.ADMIN}), quota=Rate(6, 60)), NewKey("x", [Scope.ENROLL], quota=UNLIMITED)),
    ],
)
def test_nobody_grants_more_than_they_have(service, keys, own, key):
    with pytest.raises(GrantForbidden):
        service.create(own, key)
    assert keys.all() == []


def test_a_key_grants_what_it_has(service):
    own = Principal("staff", frozenset({Scope.ADMIN}), frozenset({"staff", "door"}), "1", Rate(6, 60), None, SOON)
    made, _ = service.create(own, NewKey("x", [Scope.ADMIN], ["staff"], SOON, Rate(100, 3600)))
    assert (made.collections, made.rate, made.quota) == ({"staff"}, Rate(100, 3600), None)
    inherited, _ = service.create(own, NewKey("y", [Scope.ENROLL], ["door"], SOON))
    assert inherited.rate == Rate(6, 60)


def test_the_end_of_a_session_limits_no_key(service):
    person = Principal("eva", frozenset({Scope.ADMIN}), key_id="1", expires_at=SOON, is_session=True)
    assert service.create(person, NewKey("x", [Scope.ENROLL]))[0].expires_at is None


def test_a_key_that_has_ended_is_not_created(service):
    with pytest.raises(RequestInvalid, match="past"):
        service.create(ADMIN, NewKey("x", [Scope.ENROLL], expires_at=datetime.now(UTC)))


@pytest.mark.parametrize(
    "key",
    [
        NewKey("x", [Scope.MANAGE]),
        NewKey("x", [Scope.ADMIN], ["staff"]),
        NewKey("x", [Scope.ADMIN], expires_at=SOON),
    ],
)
def test_the_first_key_must_be_able_to_create_others(service, keys, key):
    with pytest.raises(RequestInvalid, match="the first key"):
        service.create_first(key)
    assert keys.all() == []


def test_the_first_key_closes_the_service_at_once(service, access):
    access.refresh()
    assert access.principal(None) is ANONYMOUS
    made, secret = service.create_first(NewKey("first", [Scope.ADMIN]))
    with pytest.raises(KeyMissing):
        access.principal(None)
    assert access.principal(secret).key_id == made.key_id


def test_only_one_key_is_the_first(service, keys, trail):
    keys.create(NewKey("quicker", [Scope.ADMIN]))
    keys.revoke("quicker")
    with pytest.raises(KeyMissing, match="keys now"):
        service.create_first(NewKey("first", [Scope.ADMIN]))
    assert [each.name for each in keys.all()] == ["quicker"]
    assert [each.entry.action for each in trail.lines()] == ["key.created", "key.revoked"]


def test_pages_of_keys(service, keys):
    made = [keys.create(NewKey(f"k{number}", [Scope.ENROLL]))[0] for number in range(5)]
    first = service.page(ADMIN, after=0, limit=2)
    assert first.items == made[:2]
    second = service.page(ADMIN, after=first.after, limit=3)
    assert (second.items, second.after) == (made[2:], None)


def test_keys_in_a_state(service, keys):
    keys.create(NewKey("old", [Scope.ENROLL], expires_at=datetime.now(UTC) - timedelta(days=1)))
    keys.create(NewKey("door", [Scope.ENROLL]))
    keys.create(NewKey("gone", [Scope.ENROLL]))
    keys.revoke("gone")

    def names(state):
        return [each.name for each in service.page(ADMIN, state=state, after=0, limit=9).items]

    states = (KeyState.EXPIRED, KeyState.ACTIVE, KeyState.REVOKED, None)
    assert [names(each) for each in states] == [["old"], ["door"], ["gone"], ["old", "door", "gone"]]


def test_a_key_of_some_collections_manages_only_keys_of_these(service, keys):
    own = caller(keys, "staff", collections=["staff", "door"])
    others = [keys.create(NewKey(f"x{n}", [Scope.ENROLL], among))[0] for n, among in enumerate((None, ["a", "staff"]))]
    below, _ = keys.create(NewKey("below", [Scope.ENROLL], ["door"]))
    assert [each.name for each in service.page(own, after=0, limit=9).items] == ["staff", "below"]
    for each in others:
        for method in (service.get, service.revoke):
            with pytest.raises(KeyUnknown):
                method(own, each.key_id)
    assert service.revoke(own, below.key_id).state(datetime.now(UTC)) is KeyState.REVOKED


def test_a_revoked_key_is_refused_at_once(service, keys, access):
    root = caller(keys)
    key, secret = keys.create(NewKey("door", [Scope.ENROLL]))
    access.refresh()
    assert access.principal(secret).name == "door"
    service.revoke(root, key.key_id)
    with pytest.raises(KeyInvalid, match="revoked"):
        access.principal(secret)
    with pytest.raises(KeyUnknown):
        service.revoke(root, key.key_id)


def test_a_name_is_no_id(service, keys):
    root = caller(keys)
    gone, _ = keys.create(NewKey("gone", [Scope.ENROLL]))
    keys.revoke("gone")
    keys.create(NewKey(gone.key_id, [Scope.ENROLL]))
    for text in ("root", gone.key_id):
        with pytest.raises(KeyUnknown):
            service.revoke(root, text)


def test_the_last_admin_key_stays(service, keys, engine):
    root = caller(keys)
    caller(keys, "staff", collections=["staff"])
    caller(keys, "old", expires_at=datetime.now(UTC) - timedelta(days=1))
    caller(keys, "manager", [Scope.MANAGE])
    with pytest.raises(LastAdminKey, match="arcid keys revoke"):
        service.revoke(root, root.key_id)
    second = caller(keys, "second")
    assert service.revoke(second, root.key_id).name == "root"
    with pytest.raises(LastAdminKey):
        service.revoke(second, second.key_id)
    assert keys.revoke("second").name == "second"  # the command line may
    assert Trail(engine).verify().breaks == []


def test_two_admins_cannot_revoke_each_other_at_once(service, keys, at_once):
    first, second = caller(keys, "first"), caller(keys, "second")

    def revoke(by, other):
        try:
            return service.revoke(by, other.key_id).name
        except LastAdminKey:
            return None

    outcomes = at_once(lambda: revoke(first, second), lambda: revoke(second, first))
    assert outcomes.count(None) == 1
    assert len(service.page(ADMIN, state=KeyState.ACTIVE, after=0, limit=9).items) == 1


def test_of_two_first_keys_one_is_created(service, keys, at_once):
    def create(name):
        try:
            return service.create_first(NewKey(name, [Scope.ADMIN]))[0].name
        except KeyMissing:
            return None

    outcomes = at_once(lambda: create("a"), lambda: create("b"))
    assert outcomes.count(None) == 1
    assert len(keys.all()) == 1
