from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from app.access.key_cache import Access
from app.access.keys import ANONYMOUS, NewKey, Principal, Scope
from app.errors import KeyInvalid, KeyMissing


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def check(keys, clock):
    """Check a key as the middleware does."""
    access = Access(keys, clock)

    def check(secret: str | None) -> Principal:
        if access.needs_refresh(secret):
            access.refresh()
        return access.principal(secret)

    return check


def new(keys, name="door", **more):
    return keys.create(NewKey(name, [Scope.ENROLL], **more))


def test_without_keys_everybody_is_anonymous(check):
    assert check(None) is ANONYMOUS
    assert check("anything") is ANONYMOUS


def test_the_first_key_closes_the_service_within_a_second(check, keys, clock):
    check(None)
    _, secret = new(keys)
    clock.now += 1
    with pytest.raises(KeyMissing):
        check(None)
    assert check(secret).name == "door"


def test_a_key_becomes_who_calls(check, keys):
    made, secret = new(keys, collections=["staff"])
    assert check(secret) == Principal("door", frozenset({Scope.ENROLL}), frozenset({"staff"}), made.key_id)


@pytest.mark.parametrize("change", [str.upper, lambda s: s + "x", lambda s: s[:-1], lambda s: s + "é", lambda _: "x"])
def test_another_key_is_none(check, keys, change):
    _, secret = new(keys)
    with pytest.raises(KeyInvalid, match="not known"):
        check(change(secret))


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_key(check, keys, nothing):
    new(keys)
    with pytest.raises(KeyMissing):
        check(nothing)


def test_the_id_of_a_key_alone_is_no_key(check, keys):
    made, _ = new(keys)
    for guess in (made.key_id, f"arcid_{made.key_id}_"):
        with pytest.raises(KeyInvalid, match="its id alone is not enough"):
            check(guess)


def test_a_revoked_key_stops_within_a_second(check, keys, clock):
    _, secret = new(keys)
    check(secret)
    keys.revoke("door")
    clock.now += 1
    with pytest.raises(KeyInvalid, match="revoked"):
        check(secret)


def test_a_new_key_is_known_within_a_tenth_of_a_second(check, keys, clock):
    _, first = new(keys)
    check(first)
    _, second = new(keys, "second")
    clock.now += 0.11
    assert check(second).name == "second"


def test_an_expired_key_stops_at_once(check, keys):
    _, secret = new(keys, expires_at=datetime.now(UTC) - timedelta(microseconds=1))
    with pytest.raises(KeyInvalid, match="expired"):
        check(secret)


def test_when_the_last_key_is_gone_nobody_gets_in(check, keys, clock, engine):
    _, secret = new(keys)
    check(secret)
    keys.revoke("door")
    clock.now += 1
    with pytest.raises(KeyMissing):
        check(None)
    with engine.begin() as connection:  # no command does this
        connection.execute(text("DELETE FROM api_keys"))
    clock.now += 1
    with pytest.raises(KeyMissing):
        check(None)


def test_keys_are_read_once_a_second_and_guesses_ten_times(keys, clock):
    reads = 0

    class Counting:
        def by_sha256(self):
            nonlocal reads
            reads += 1
            return keys.by_sha256()

    _, secret = new(keys)
    access = Access(Counting(), clock)  # type: ignore[arg-type]
    for step in range(2000):
        clock.now = 100 + step / 1000
        if access.needs_refresh(secret):
            access.refresh()
    assert reads == 2
    for step in range(1000):
        clock.now = 103 + step / 1000
        if access.needs_refresh("guess"):
            access.refresh()
    assert 10 <= reads - 2 <= 12
