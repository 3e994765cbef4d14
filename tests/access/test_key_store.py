from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.access.key_cache import Access
from app.access.keys import NewKey, Scope
from app.access.rates import UNLIMITED, Rate
from app.access.secret import sha256_of
from app.access.trail import Trail
from app.errors import KeyExists, KeyUnknown


def test_a_key_is_kept_as_it_was_made(keys):
    ends = datetime.now(UTC) + timedelta(days=3)
    made, secret = keys.create(NewKey("door", [Scope.ENROLL, Scope.RECOGNISE], ["staff"], ends))
    assert (made.name, made.scopes, made.collections, made.expires_at, made.revoked_at) == (
        "door",
        {Scope.ENROLL, Scope.RECOGNISE},
        {"staff"},
        ends,
        None,
    )
    assert keys.by_sha256() == {sha256_of(secret): made}
    assert secret.startswith(f"arcid_{made.key_id}_")


def test_rate_and_quota_are_kept(keys, engine):
    rate, quota = Rate(100, 60), Rate(5, 86_400)
    made, secret = keys.create(NewKey("door", [Scope.ENROLL], rate=rate, quota=quota))
    free, _ = keys.create(NewKey("free", [Scope.ENROLL], rate=UNLIMITED))
    usual, _ = keys.create(NewKey("usual", [Scope.ENROLL]))
    assert [(each.rate, each.quota) for each in (made, free, usual)] == [
        (rate, quota),
        (UNLIMITED, None),
        (None, None),
    ]
    assert keys.all() == [made, free, usual]
    access = Access(keys)
    access.refresh()
    principal = access.principal(secret)
    assert (principal.rate, principal.quota) == (rate, quota)
    line = next(Trail(engine).lines()).entry
    assert (line.detail["rate"], line.detail["quota"]) == ("100/minute", "5/day")


def test_a_key_for_all_collections(keys):
    made, _ = keys.create(NewKey("door", [Scope.ENROLL]))
    assert made.collections is None


def test_secrets_have_256_bits_and_differ(keys):
    secrets = {keys.create(NewKey(f"k{number}", [Scope.ENROLL]))[1] for number in range(20)}
    assert {len(each.split("_", 2)[2]) for each in secrets} == {43}
    assert len({each.split("_", 2)[2] for each in secrets}) == 20


def test_the_secret_is_nowhere_in_the_database(keys, engine):
    _, secret = keys.create(NewKey("door", [Scope.ENROLL]))
    random = secret.split("_", 2)[2]
    if engine.dialect.name == "sqlite":
        path = Path(engine.url.database)
        content = b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))
        assert sha256_of(secret).encode() in content
        assert random.encode() not in content
    with engine.connect() as connection:
        for table in ("api_keys", "audit", "audit_head"):
            rows = connection.exec_driver_sql(f"SELECT * FROM {table}").all()  # noqa: S608 - a name from above
            assert random not in repr(rows)


def test_a_name_is_taken_until_its_key_is_revoked(keys):
    first, _ = keys.create(NewKey("door", [Scope.ENROLL]))
    with pytest.raises(KeyExists, match="door"):
        keys.create(NewKey("door", [Scope.MANAGE]))
    keys.revoke("door")
    second, _ = keys.create(NewKey("door", [Scope.MANAGE]))
    assert [(each.key_id, each.state(datetime.now(UTC))) for each in keys.all()] == [
        (first.key_id, "revoked"),
        (second.key_id, "active"),
    ]


def test_revoked_by_name_or_id_and_only_once(keys):
    first, _ = keys.create(NewKey("a", [Scope.ENROLL]))
    keys.create(NewKey("b", [Scope.ENROLL]))
    assert keys.revoke(first.key_id).revoked_at is not None
    assert keys.revoke("b").name == "b"
    for gone in ("a", first.key_id, "b", "nobody"):
        with pytest.raises(KeyUnknown):
            keys.revoke(gone)


def test_an_id_comes_before_a_name(keys):
    first, _ = keys.create(NewKey("a", [Scope.ENROLL]))
    keys.create(NewKey(first.key_id, [Scope.ENROLL]))
    assert keys.revoke(first.key_id).name == "a"


def test_states(keys):
    now = datetime.now(UTC)
    key, _ = keys.create(NewKey("a", [Scope.ENROLL], expires_at=now + timedelta(hours=1)))
    assert key.state(now) == "active"
    assert key.state(now + timedelta(hours=1)) == "expired"
    assert keys.revoke("a").state(now) == "revoked"
