import os

import pytest


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def rows(result):
    assert result.exit_code == 0
    return {line.split()[0]: line.split()[1:] for line in result.output.splitlines()[1:]}


def test_each_setting_is_shown_with_its_origin(arcid, home, here, tmp_path, monkeypatch):
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "arcid_index").write_text("exact")
    (here / ".env").write_text("ARCID_LIMITS__FACES=7\nARCID_PACK=env-pack\nOTHER=1\n")
    (here / "arcid.toml").write_text('pack = "toml-pack"\nlog_json = true\n[limits]\nfaces = 8\nwaiting = 9\n')
    monkeypatch.setenv("ARCID_SECRETS_DIR", str(secrets))
    shown = rows(arcid("config"))
    assert shown["ARCID_DATA_DIR"] == [str(home), "environment"]
    assert shown["ARCID_INDEX"] == ["exact", "secret", "file"]
    assert shown["ARCID_LIMITS__FACES"] == ["7", ".env"]
    assert shown["ARCID_PACK"] == ["env-pack", ".env"]
    assert shown["ARCID_LIMITS__WAITING"] == ["9", "arcid.toml"]
    assert shown["ARCID_LOG_JSON"] == ["True", "arcid.toml"]
    assert shown["ARCID_RATES__KEY"] == ["none", "default"]


@pytest.mark.parametrize("kind", ["table", "variable"])
def test_a_setting_that_is_a_table_is_one_setting(arcid, home, here, monkeypatch, kind):
    if kind == "table":
        (here / "arcid.toml").write_text('[oidc.grants.staff]\nscopes = ["recognise"]\n')
    else:
        monkeypatch.setenv("ARCID_OIDC__GRANTS", '{"staff": {"scopes": ["recognise"]}}')
    origin = rows(arcid("config"))["ARCID_OIDC__GRANTS"][-1]
    assert origin == {"table": "arcid.toml", "variable": "environment"}[kind]


def test_only_changed_settings_can_be_shown(arcid, home, here):
    given = {name for name in os.environ if name.startswith("ARCID_")}
    assert "ARCID_DATA_DIR" in given
    assert set(rows(arcid("config", "--changed"))) == given


def test_secrets_are_hidden(arcid, here, monkeypatch):
    monkeypatch.setenv("ARCID_DATABASE_URL", "postgresql://user:pa55w0rd@db/arcid")
    monkeypatch.setenv("ARCID_MILVUS__TOKEN", "root:pa55w0rd")
    monkeypatch.setenv("ARCID_RATES__STORAGE", "redis://:pa55w0rd@redis/0")
    result = arcid("config")
    assert "pa55w0rd" not in result.output
    assert "postgresql://(hidden)@db/arcid" in result.output
