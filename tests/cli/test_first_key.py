import pytest

from app.access.secret import new_secret
from app.config import read_settings
from app.container import Container
from app.errors import SettingsInvalid


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "api_key"
    path.write_text("arcid_0123abcd_" + 32 * "0f" + "\n")
    return path


def test_the_first_key_comes_from_a_file_and_is_not_shown(arcid, key):
    result = arcid("keys", "first", str(key))
    assert result.output == "first (0123abcd): admin; every request needs a key now\n"
    stored = Container(read_settings()).keys.all()
    assert [(each.name, each.key_id, set(each.scopes)) for each in stored] == [("first", "0123abcd", {"admin"})]


def test_a_service_that_has_keys_is_left_as_it_is(arcid, key):
    arcid("keys", "first", str(key))
    arcid("keys", "revoke", "first")
    result = arcid("keys", "first", str(key))
    assert (result.exit_code, result.output) == (0, "there are keys already\n")
    assert len(Container(read_settings()).keys.all()) == 1


def test_a_key_of_our_own_making_is_taken(arcid, key):
    key.write_text(new_secret()[1])
    assert arcid("keys", "first", str(key)).exit_code == 0


@pytest.mark.parametrize("content", [b"", b"secret", b"arcid_0123abcd_short", b"arcid_0123ABCD_" + 43 * b"x", b"\xff"])
def test_what_is_no_key_is_refused(arcid, key, content):
    key.write_bytes(content)
    result = arcid("keys", "first", str(key))
    assert isinstance(result.exception, SettingsInvalid)
    assert not (content and content.decode("latin-1") in str(result.exception))


def test_a_file_that_is_not_there_is_refused(arcid, tmp_path):
    assert isinstance(arcid("keys", "first", str(tmp_path / "nowhere")).exception, SettingsInvalid)
