import json
import sqlite3

import pytest
from structlog.testing import capture_logs

from app.cli.serve import is_loopback, require_keys
from app.config import read_settings
from app.container import Container
from app.errors import KeyExists, KeysRequired, KeyUnknown, SettingsInvalid, TrailBroken


def created(arcid, name="door", *options):
    result = arcid("keys", "create", name, "--scope", "enroll", *options)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def test_a_key_is_printed_alone_and_once(arcid):
    result = arcid("keys", "create", "door", "--scope", "enroll", "--scope", "recognise", "--expires", "30")
    (secret,) = result.stdout.splitlines()
    assert secret.startswith("arcid_")
    assert "recognise, enroll" in result.stderr
    listed = arcid("keys", "list").output
    assert "door" in listed
    assert secret.split("_")[1] in listed
    assert secret.split("_", 2)[2] not in listed


def test_a_key_for_a_missing_collection_comes_with_a_warning(arcid):
    result = arcid("keys", "create", "door", "--scope", "enroll", "--collection", "staf")
    assert result.exit_code == 0
    assert "there is no collection 'staf'; the key can use it once it is created" in result.stderr
    assert len(result.stdout.splitlines()) == 1


def test_keys_are_listed_with_their_state(arcid):
    created(arcid, "door", "--collection", "staff", "--collection", "guests")
    arcid("keys", "revoke", "door")
    row = arcid("keys", "list").output.splitlines()[1].split()
    assert row[1:5] == ["door", "enroll", "guests,", "staff"]
    assert row[-2:] == ["never", "revoked"]


def test_a_key_has_a_rate_and_a_quota(arcid):
    created(arcid, "fast", "--rate", "100/second", "--quota", "none")
    created(arcid, "usual")
    fast, usual = (line.split() for line in arcid("keys", "list").output.splitlines()[1:])
    assert fast[4:6] == ["100/second", "none"]
    assert usual[4:8] == ["as", "set", "as", "set"]
    for option in ("--rate", "--quota"):
        refused = arcid("keys", "create", "other", "--scope", "enroll", option, "100").exception
        assert isinstance(refused, SettingsInvalid)
        assert str(refused).startswith(f"{option}: '100' is not a rate")


def test_what_cannot_be_created(arcid):
    created(arcid)
    assert isinstance(arcid("keys", "create", "door", "--scope", "enroll").exception, KeyExists)
    assert arcid("keys", "create", "other").exit_code == 2  # no scope
    assert arcid("keys", "create", "other", "--scope", "everything").exit_code == 2
    assert arcid("keys", "create", "other", "--scope", "enroll", "--expires", "0").exit_code == 2
    for wrong in (["a b"], ["x" * 65], ["ok", "--collection", "../x"]):
        assert isinstance(arcid("keys", "create", *wrong, "--scope", "enroll").exception, SettingsInvalid)


def test_a_key_is_revoked_once(arcid):
    key_id = created(arcid).split("_")[1]
    assert arcid("keys", "revoke", key_id).output == f"door ({key_id}): revoked\n"
    assert isinstance(arcid("keys", "revoke", "door").exception, KeyUnknown)


# Secure by default


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "", "192.168.0.1", "10.0.0.1", "2001:db8::1", "no-such-host.invalid"],  # noqa: S104
)
def test_not_loopback(host):
    assert not is_loopback(host)


@pytest.fixture
def settings(arcid):
    assert arcid("db", "upgrade").exit_code == 0
    return read_settings()


def test_without_keys_only_this_machine_is_served(settings):
    require_keys(Container(settings).keys, "127.0.0.1", is_insecure=False)
    require_keys(Container(settings).keys, "0.0.0.0", is_insecure=True)  # noqa: S104
    with pytest.raises(KeysRequired, match=r"arcid keys create .*--insecure"):
        require_keys(Container(settings).keys, "0.0.0.0", is_insecure=False)  # noqa: S104


def test_with_keys_all_may_be_served(arcid, settings):
    created(arcid)
    require_keys(Container(settings).keys, "0.0.0.0", is_insecure=False)  # noqa: S104
    arcid("keys", "revoke", "door")  # nobody gets in now, so nothing is open
    require_keys(Container(settings).keys, "0.0.0.0", is_insecure=False)  # noqa: S104


@pytest.mark.parametrize(
    ("host", "keys", "said"),
    [
        ("127.0.0.1", 0, "access.open"),
        ("0.0.0.0", 0, "access.open"),  # noqa: S104
        ("127.0.0.1", 1, "access.keys_required"),
    ],
)
def test_the_log_says_how_it_stands(arcid, settings, host, keys, said):
    for number in range(keys):
        created(arcid, f"k{number}")
    with capture_logs() as lines:
        require_keys(Container(settings).keys, host, is_insecure=True)
    assert [line["event"] for line in lines] == [said]


def test_serve_refuses_before_it_opens_a_network(arcid, tiny, monkeypatch):
    monkeypatch.setattr("app.observability.logs.configure", lambda **_: None)  # it would outlive the test
    result = arcid("serve", "--host", "0.0.0.0")  # noqa: S104
    assert isinstance(result.exception, KeysRequired)


# The audit trail


def tampered(home, statement):
    with sqlite3.connect(home / "arcid.db") as connection:
        connection.execute("DROP TRIGGER IF EXISTS audit_no_update")
        connection.execute("DROP TRIGGER IF EXISTS audit_no_delete")
        connection.execute(statement)
    connection.close()


def test_the_trail_is_verified(arcid, home):
    for number in range(3):
        created(arcid, f"k{number}")
    result = arcid("audit", "verify")
    assert result.exit_code == 0
    assert result.output.startswith("3 lines, unbroken up to 3:")
    anchor = result.output.split()[-1]
    created(arcid, "k3")
    assert arcid("audit", "verify", "--anchor", anchor).exit_code == 0
    assert isinstance(arcid("audit", "verify", "--anchor", f"2{anchor[1:]}").exception, TrailBroken)
    assert isinstance(arcid("audit", "verify", "--anchor", "nonsense").exception, SettingsInvalid)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE audit SET subject = 'x' WHERE seq = 2", "line 2: changed"),
        ("DELETE FROM audit WHERE seq = 2", "line 2: missing"),
        ("DELETE FROM audit WHERE seq = 3", "line 3: missing"),
    ],
)
def test_a_broken_trail_is_told_with_the_line(arcid, home, statement, said):
    for number in range(3):
        created(arcid, f"k{number}")
    tampered(home, statement)
    result = arcid("audit", "verify")
    assert isinstance(result.exception, TrailBroken)
    assert said in result.output


def test_an_export_marks_the_lines_that_cannot_be_read(arcid, home):
    for number in range(3):
        created(arcid, f"k{number}")
    tampered(home, "UPDATE audit SET actor = x'ff' WHERE seq = 2")
    result = arcid("audit", "export")
    assert isinstance(result.exception, TrailBroken)
    lines = [json.loads(line) for line in result.output.splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3]
    assert lines[1] == {"seq": 2, "unreadable": True}


def test_the_trail_is_exported(arcid):
    created(arcid)
    arcid("keys", "revoke", "door")
    lines = [json.loads(line) for line in arcid("audit", "export").output.splitlines()]
    assert [(line["seq"], line["actor"], line["action"], line["subject"]) for line in lines] == [
        (1, "cli", "key.created", "door"),
        (2, "cli", "key.revoked", "door"),
    ]
    assert lines[1]["previous"] == lines[0]["sha256"]
    assert len(Container(read_settings()).keys.all()) == 1


def test_a_part_of_the_trail_is_exported(arcid, home):
    created(arcid)
    created(arcid, "gate")
    with sqlite3.connect(home / "arcid.db") as database:
        ((at,),) = database.execute("SELECT at FROM audit WHERE seq = 2").fetchall()
    second = f"{at}".replace(" ", "T") + "Z"

    def numbers(*arguments: str) -> list[int]:
        return [json.loads(line)["seq"] for line in arcid("audit", "export", *arguments).output.splitlines()]

    assert numbers("--since", second) == [2]
    assert numbers("--until", second) == [1]
    assert numbers("--since", "2020-01-01", "--until", "2999-01-01") == [1, 2]
    assert numbers("--since", "2999-01-01T00:00:00+02:00") == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--since", "2026"), "--since: '2026' is not a date, or a date and time such as 2027-01-31T12:00:00Z"),
        (("--until", "0001-01-01T00:00:00+14:00"), "--until: '0001-01-01T00:00:00+14:00' is not a date"),
        (("--since", "2026-11-29T10:00"), "lacks its time zone; end it with Z for UTC"),
        (("--since", "2026-02-01", "--until", "2026-01-01"), "--until is before --since; exchange the two"),
    ],
)
def test_a_wrong_time_of_an_export_is_refused(arcid, arguments, said):
    result = arcid("audit", "export", *arguments)
    assert isinstance(result.exception, SettingsInvalid)
    assert said in str(result.exception)
