import os
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from app.access.keys import Scope
from app.config import PROJECT, Settings, WhenAway, read_settings, shipped
from app.config.oidc import GrantSettings
from app.errors import SettingsInvalid
from app.types import Attribute, Effort, Impostors, IndexKind, Provider
from app.wiring.storage import models_folder
from arcid.client import KEY_VARIABLE

# All settings: the variable, its value in the environment, and the parsed value.
SETTINGS = {
    "ARCID_DATA_DIR": ("/data", Path("/data")),
    "ARCID_MODELS_DIR": ("/models", Path("/models")),
    "ARCID_DATABASE_URL": ("postgresql://db/arcid", "postgresql://db/arcid"),
    "ARCID_PACK": ("buffalo_l", "buffalo_l"),
    "ARCID_PACKS": ("open, buffalo_l", ("open", "buffalo_l")),
    "ARCID_DETECTOR": ("yunet+mtcnn", "yunet+mtcnn"),
    "ARCID_EFFORT": ("fast", Effort.FAST),
    "ARCID_ATTRIBUTES": ("age, pose", (Attribute.AGE, Attribute.POSE)),
    "ARCID_INSIGHTFACE_MIRROR": ("https://mirror.example/zoo", "https://mirror.example/zoo"),
    "ARCID_MODEL_MIRROR": ("/mnt/networks", "/mnt/networks"),
    "ARCID_INDEX": ("compressed", IndexKind.COMPRESSED),
    "ARCID_LOG_JSON": ("true", True),
    "ARCID_SECRETS_DIR": (str(PROJECT / "docs"), PROJECT / "docs"),
    "ARCID_LIMITS__PHOTO_BYTES": ("1", 1),
    "ARCID_LIMITS__PHOTO_PIXELS": ("2", 2),
    "ARCID_LIMITS__FACES": ("7", 7),
    "ARCID_LIMITS__EVENT_STREAMS": ("3", 3),
    "ARCID_LIMITS__BODY_BYTES": ("4", 4),
    "ARCID_LIMITS__BODIES_BYTES": ("8", 8),
    "ARCID_LIMITS__WAITING": ("0", 0),
    "ARCID_LIMITS__WAIT_SECONDS": ("2.5", 2.5),
    "ARCID_LIMITS__READ_SECONDS": ("3.5", 3.5),
    "ARCID_LIMITS__CONNECTIONS": ("9", 9),
    "ARCID_LIMITS__GRACE_SECONDS": ("0", 0.0),
    "ARCID_RATES__KEY": ("600/minute", "600/minute"),
    "ARCID_RATES__QUOTA": ("100000/day", "100000/day"),
    "ARCID_RATES__ANONYMOUS": ("5/second", "5/second"),
    "ARCID_RATES__FAILURES": ("none", "none"),
    "ARCID_RATES__SEARCH": ("9/day", "9/day"),
    "ARCID_RATES__STORAGE": ("redis://:secret@redis/0", SecretStr("redis://:secret@redis/0")),
    "ARCID_RATES__WHEN_AWAY": ("refuse", WhenAway.REFUSE),
    "ARCID_SERVER__ROOT_PATH": ("/faces", "/faces"),
    "ARCID_PROXIES": ("127.0.0.1, 10.0.0.0/8", ("127.0.0.1/32", "10.0.0.0/8")),
    "ARCID_SERVER__HOSTS": ("NAS.local, [fd00::7],192.168.1.5", ("nas.local", "fd00::7", "192.168.1.5")),
    "ARCID_CORS__ORIGINS": (
        "https://App.example.com:443, http://localhost:5173",
        ("https://app.example.com", "http://localhost:5173"),
    ),
    "ARCID_CAMERAS__HOSTS": ("Door.lan, 10.0.3.0/24,*.cams.lan", ("door.lan", "10.0.3.0/24", "*.cams.lan")),
    "ARCID_CAMERAS__MOST": ("3", 3),
    "ARCID_CAMERAS__THREADS": ("2", 2),
    "ARCID_CAMERAS__SECONDS": ("5", 5.0),
    "ARCID_CAMERAS__LOST_SECONDS": ("60", 60.0),
    "ARCID_CAMERAS__DECODER": ("cuda", "cuda"),
    "ARCID_URLS__IS_ENABLED": ("true", True),
    "ARCID_URLS__HOSTS": ("photos.example.com,*.example.org", "photos.example.com,*.example.org"),
    "ARCID_URLS__SCHEMES": ("http,https", "http,https"),
    "ARCID_URLS__PORTS": ("8443", "8443"),
    "ARCID_URLS__SECONDS": ("2.5", 2.5),
    "ARCID_URLS__REDIRECTS": ("0", 0),
    "ARCID_URLS__AT_ONCE": ("2", 2),
    "ARCID_DETECTION__LOWEST_SCORE": ("0.25", 0.25),
    "ARCID_DETECTION__LONGEST_SIDE": ("640", 640),
    "ARCID_INFERENCE__PROVIDER": ("tensorrt", Provider.TENSORRT),
    "ARCID_INFERENCE__THREADS": ("5", 5),
    "ARCID_INFERENCE__CONCURRENCY": ("6", 6),
    "ARCID_INFERENCE__FLIP": ("false", False),
    "ARCID_INFERENCE__BATCH_SIZE": ("16", 16),
    "ARCID_INFERENCE__BATCH_WAIT_MS": ("0.5", 0.5),
    "ARCID_INFERENCE__BATCH_QUEUE": ("99", 99),
    "ARCID_LIVENESS__PACK": ("minifasnet", "minifasnet"),
    "ARCID_GALLERY__FOLLOW_SECONDS": ("1.5", 1.5),
    "ARCID_GALLERY__SNAPSHOT_SECONDS": ("7", 7),
    "ARCID_GALLERY__LOG_DAYS": ("0.5", 0.5),
    "ARCID_JOBS__IMPORT_DIR": ("/photos", Path("/photos")),
    "ARCID_JOBS__LEASE_SECONDS": ("5.5", 5.5),
    "ARCID_JOBS__KEEP_DAYS": ("1.5", 1.5),
    "ARCID_JOBS__UPLOAD_BYTES": ("5000", 5000),
    "ARCID_JOBS__UPLOADS_BYTES": ("6000", 6000),
    "ARCID_JOBS__UPLOADS": ("0", 0),
    "ARCID_JOBS__UPLOAD_HOURS": ("0.5", 0.5),
    "ARCID_CALIBRATION__IS_ADAPTIVE": ("false", False),
    "ARCID_CALIBRATION__IMPOSTORS": ("similar", Impostors.SIMILAR),
    "ARCID_CALIBRATION__LEARN_FROM_PROBES": ("false", False),
    "ARCID_CALIBRATION__INTERVAL_SECONDS": ("2.5", 2.5),
    "ARCID_EVENTS__IS_ENABLED": ("false", False),
    "ARCID_EVENTS__KEEP_DAYS": ("2.5", 2.5),
    "ARCID_DELIVERY__SECONDS": ("2.5", 2.5),
    "ARCID_DELIVERY__HOSTS": ("Hooks.lan, *.home.lan", ("hooks.lan", "*.home.lan")),
    "ARCID_REVIEWS__OPEN": ("50", 50),
    "ARCID_BACKUPS__FOLDER": ("/backups", Path("/backups")),
    "ARCID_BACKUPS__KEEP": ("3", 3),
    "ARCID_UNKNOWN_FACES__MOST_DAYS": ("7", 7),
    "ARCID_UNKNOWN_FACES__MOST_FACES": ("100", 100),
    "ARCID_UNKNOWN_FACES__GROUP_SECONDS": ("5", 5.0),
    "ARCID_STATISTICS__KEEP_DAYS": ("30", 30),
    "ARCID_STATISTICS__WRITE_SECONDS": ("2.5", 2.5),
    "ARCID_MILVUS__ADDRESS": ("http://milvus:19530", "http://milvus:19530"),
    "ARCID_MILVUS__TOKEN": ("root:milvus", SecretStr("root:milvus")),
    "ARCID_TRACING__ENDPOINT": ("http://collector:4318", "http://collector:4318"),
    "ARCID_TRACING__RATIO": ("0.1", 0.1),
    "ARCID_TRACING__SERVICE_NAME": ("doors", "doors"),
    "ARCID_OIDC__ISSUER": ("https://id.example.org/realms/main", "https://id.example.org/realms/main"),
    "ARCID_OIDC__CLIENT_ID": ("doors", "doors"),
    "ARCID_OIDC__CLIENT_SECRET": ("a secret", SecretStr("a secret")),
    "ARCID_OIDC__NAME": ("Example Ltd", "Example Ltd"),
    "ARCID_OIDC__SCOPES": ("openid groups", "openid groups"),
    "ARCID_OIDC__CLAIM": ("realm_access.roles", "realm_access.roles"),
    "ARCID_OIDC__GRANTS": (
        '{"door": {"scopes": ["recognise"], "collections": ["staff"]}}',
        {"door": GrantSettings(scopes=(Scope.RECOGNISE,), collections=("staff",))},
    ),
    "ARCID_OIDC__SESSION_HOURS": ("0.5", 0.5),
    "ARCID_GALLERY__SWEEP_SECONDS": ("9", 9),
    "ARCID_GALLERY__ANCHOR_HOURS": ("0.5", 0.5),
    "ARCID_OPEN_METADATA": ("door, team", ("door", "team")),
    "ARCID_ENCRYPTION__REQUIRE_BOUND": ("true", True),
    "ARCID_ENCRYPTION__KEY_FILE": ("/etc/arcid.key", Path("/etc/arcid.key")),
    "ARCID_ENCRYPTION__OWN_KEY": ("false", False),
    "ARCID_ENCRYPTION__KEY": ("AAAA", SecretStr("AAAA")),
    "ARCID_ENCRYPTION__ALLOW_PLAIN_INDEX": ("true", True),
}

WRONG = {
    "ARCID_INDEX": "faiss",
    "ARCID_LOG_JSON": "perhaps",
    "ARCID_LIMITS__PHOTO_BYTES": "many",
    "ARCID_LIMITS__PHOTO_PIXELS": "-1",
    "ARCID_LIMITS__FACES": "0",
    "ARCID_LIMITS__EVENT_STREAMS": "-1",
    "ARCID_LIMITS__BODY_BYTES": "1.5",
    "ARCID_LIMITS__BODIES_BYTES": "0",
    "ARCID_LIMITS__WAITING": "-1",
    "ARCID_LIMITS__WAIT_SECONDS": "0",
    "ARCID_LIMITS__READ_SECONDS": "0",
    "ARCID_LIMITS__CONNECTIONS": "0",
    "ARCID_LIMITS__GRACE_SECONDS": "-1",
    "ARCID_RATES__KEY": "100",
    "ARCID_RATES__QUOTA": "100/week",
    "ARCID_RATES__ANONYMOUS": "0/minute",
    "ARCID_RATES__FAILURES": "/minute",
    "ARCID_RATES__SEARCH": "many",
    "ARCID_RATES__WHEN_AWAY": "perhaps",
    "ARCID_SERVER__ROOT_PATH": "faces/",
    "ARCID_PROXIES": "proxy.local",
    "ARCID_SERVER__HOSTS": "http://nas.local:8000",
    "ARCID_CORS__ORIGINS": "https://app.example.com/",
    "ARCID_URLS__SCHEMES": "ftp",
    "ARCID_URLS__PORTS": "https",
    "ARCID_URLS__SECONDS": "0",
    "ARCID_URLS__REDIRECTS": "-1",
    "ARCID_URLS__AT_ONCE": "0",
    "ARCID_DETECTION__LOWEST_SCORE": "1",
    "ARCID_DETECTION__LONGEST_SIDE": "63",
    "ARCID_INFERENCE__PROVIDER": "gpu",
    "ARCID_INFERENCE__THREADS": "0",
    "ARCID_INFERENCE__CONCURRENCY": "0",
    "ARCID_INFERENCE__FLIP": "perhaps",
    "ARCID_INFERENCE__BATCH_SIZE": "0",
    "ARCID_INFERENCE__BATCH_WAIT_MS": "-1",
    "ARCID_INFERENCE__BATCH_QUEUE": "0",
    "ARCID_TRACING__ENDPOINT": "collector:4318",
    "ARCID_TRACING__RATIO": "1.1",
    "ARCID_OIDC__ISSUER": "http://id.example.org",
    "ARCID_OIDC__SCOPES": "profile",
    "ARCID_OIDC__GRANTS": "[]",
    "ARCID_OIDC__SESSION_HOURS": "0",
    "ARCID_GALLERY__FOLLOW_SECONDS": "0",
    "ARCID_GALLERY__SNAPSHOT_SECONDS": "-1",
    "ARCID_GALLERY__LOG_DAYS": "0",
    "ARCID_JOBS__LEASE_SECONDS": "0",
    "ARCID_JOBS__KEEP_DAYS": "0",
    "ARCID_JOBS__UPLOAD_BYTES": "0",
    "ARCID_JOBS__UPLOADS": "-1",
    "ARCID_GALLERY__SWEEP_SECONDS": "0",
    "ARCID_CALIBRATION__INTERVAL_SECONDS": "0",
    "ARCID_EVENTS__IS_ENABLED": "perhaps",
    "ARCID_EVENTS__KEEP_DAYS": "0",
    "ARCID_BACKUPS__KEEP": "0",
    "ARCID_STATISTICS__KEEP_DAYS": "-1",
    "ARCID_STATISTICS__WRITE_SECONDS": "0",
    "ARCID_GALLERY__ANCHOR_HOURS": "-1",
    "ARCID_ENCRYPTION__OWN_KEY": "perhaps",
    "ARCID_ENCRYPTION__REQUIRE_BOUND": "perhaps",
}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    for name in os.environ:
        if name.upper().startswith("ARCID_"):
            monkeypatch.delenv(name)


def leaves(group: BaseModel, prefix: str = "ARCID_") -> dict[str, object]:
    """Return every setting under the name of its variable."""
    found: dict[str, object] = {}
    for field in type(group).model_fields:
        value = getattr(group, field)
        name = prefix + field.upper()
        found |= leaves(value, f"{name}__") if isinstance(value, BaseModel) else {name: value}
    return found


def test_every_setting_is_listed_here():
    assert set(leaves(read_settings())) == set(SETTINGS)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_variable_sets_its_setting_and_no_other(monkeypatch, name):
    said, meant = SETTINGS[name]
    before = leaves(read_settings())
    monkeypatch.setenv(name, said)
    after = leaves(read_settings())
    assert after[name] == meant != before[name]
    follows = {"ARCID_MODELS_DIR": None} if name == "ARCID_DATA_DIR" else {}
    assert {**after, name: None, **follows} == {**before, name: None, **follows}


def test_all_together(monkeypatch):
    for name, (said, _) in SETTINGS.items():
        monkeypatch.setenv(name, said)
    assert leaves(read_settings()) == {name: meant for name, (_, meant) in SETTINGS.items()}


def test_the_case_of_a_variable_does_not_matter(monkeypatch):
    monkeypatch.setenv("arcid_limits__Photo_Bytes", "9")
    assert read_settings().limits.photo_bytes == 9


def test_a_group_may_come_as_json(monkeypatch):
    monkeypatch.setenv("ARCID_LIMITS", '{"photo_bytes": 8, "body_bytes": 9}')
    monkeypatch.setenv("ARCID_LIMITS__PHOTO_BYTES", "7")
    limits = read_settings().limits
    assert (limits.body_bytes, limits.photo_bytes, limits.photo_pixels) == (9, 7, 50_000_000)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ARCID_PAK", r"did you mean ARCID_PACK\?"),
        ("arcid_limits__photo_byte", r"did you mean ARCID_LIMITS__PHOTO_BYTES\?"),
        ("ARCID_LIMITS_PHOTO_BYTES", r"did you mean ARCID_LIMITS__PHOTO_BYTES\?"),
        ("ARCID_PROVIDER", r"did you mean ARCID_INFERENCE__PROVIDER\?"),
        ("ARCID_MODEL", r"the nearest one is ARCID_MODELS_DIR; docs/settings\.md lists all$"),
        ("ARCID_HOSTS", r"the nearest ones are ARCID_CAMERAS__HOSTS, ARCID_DELIVERY__HOSTS, ARCID_SERVER__HOSTS"),
        ("ARCID_PORT", r"docs/settings\.md lists all$"),
        ("ARCID_THRESHOLD", r"docs/settings\.md lists all$"),
        ("ARCID_THRESHOLDS", r"docs/settings\.md lists all$"),
        ("arcid_x", r"docs/settings\.md lists all$"),
        ("ARCID_", r"docs/settings\.md lists all$"),
    ],
)
def test_a_name_that_does_not_exist_is_refused_with_the_nearest_one(monkeypatch, name, hint):
    monkeypatch.setenv(name, "1")
    with pytest.raises(SettingsInvalid, match=rf"no setting is called {name}; {hint}"):
        read_settings()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (".env", b"ARCID_PAK=1", r"no setting is called ARCID_PAK \(\.env\); did you mean ARCID_PACK\?"),
        (".env", b"ARCID_PACK=\xff", r"^\.env cannot be read"),
        (".env", b"ARCID_LIMITS__FACES=many", "^ARCID_LIMITS__FACES: "),
        (
            "arcid.toml",
            b"[limits]\nface = 1",
            r"ARCID_LIMITS__FACE \(arcid\.toml\); did you mean ARCID_LIMITS__FACES\?",
        ),
        ("arcid.toml", b"pack = ", r"^arcid\.toml is not valid TOML: "),
        ("arcid.toml", b"pack = 1", "^ARCID_PACK: "),
        ("arcid.toml", b"limits = 1", "^ARCID_LIMITS: "),
    ],
)
def test_a_file_of_settings_that_is_wrong_is_refused(monkeypatch, tmp_path, file, content, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(SettingsInvalid, match=message):
        read_settings()


def test_settings_are_read_from_files_in_the_current_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("arcid_limits__faces=7  # comment\nexport ARCID_PACKS='a, b'\nPACK=other\n")
    (tmp_path / "arcid.toml").write_text('packs = ["c"]\nproxies = ["10.0.0.0/8"]\n[limits]\nfaces = 8\nwaiting = 9\n')
    settings = read_settings()
    assert (settings.limits.faces, settings.limits.waiting) == (7, 9)
    assert settings.packs == ("a", "b")
    assert settings.proxies == ("10.0.0.0/8",)
    assert settings.pack == "open"
    monkeypatch.setenv("ARCID_LIMITS__FACES", "6")
    assert read_settings().limits.faces == 6


def test_other_peoples_variables_are_none_of_ours(monkeypatch):
    monkeypatch.setenv("XARCID_PACK", "1")
    monkeypatch.setenv("PACK", "1")
    assert read_settings().pack == "open"


def test_the_clients_key_is_no_setting_and_no_mistake(monkeypatch):
    before = read_settings()
    monkeypatch.setenv(KEY_VARIABLE, "secret")
    assert read_settings() == before


MAY_BE_EMPTY = {name for name, default in leaves(Settings.model_construct()).items() if default in ("", ())}


def test_an_unknown_name_lists_few_others(monkeypatch):
    monkeypatch.setenv("ARCID_SERVER_PORT", "1")
    with pytest.raises(SettingsInvalid) as refused:
        read_settings()
    assert 1 <= str(refused.value).count("ARCID_") - 1 <= 3


@pytest.mark.parametrize("name", [*SETTINGS, "ARCID_LIMITS"])
def test_an_empty_value_is_refused_unless_it_means_an_empty_list_or_text(monkeypatch, name):
    monkeypatch.setenv(name, " " if name == "ARCID_PACK" else "")
    if name in MAY_BE_EMPTY:
        assert leaves(read_settings())[name] in ("", ())
        return
    with pytest.raises(SettingsInvalid, match=f"^{name} is empty; give it a value, or remove it to use its default$"):
        read_settings()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (".env", "ARCID_PACK=", r"^ARCID_PACK \(\.env\) is empty"),
        ("arcid.toml", '[limits]\nfaces = ""', r"^ARCID_LIMITS__FACES \(arcid\.toml\) is empty"),
        ("arcid_encryption__key", "\n", r"^arcid_encryption__key \(secret file\) is empty"),
    ],
)
def test_an_empty_value_is_refused_in_every_source(monkeypatch, tmp_path, file, content, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARCID_SECRETS_DIR", str(tmp_path))
    (tmp_path / file).write_text(content)
    with pytest.raises(SettingsInvalid, match=message):
        read_settings()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "ARCID_ATTRIBUTES",
            "age,emotion",
            "ARCID_ATTRIBUTES: must be 'age', 'gender', 'pose', 'mask' or 'eyes', not 'emotion'",
        ),
        ("ARCID_EFFORT", "slow", "ARCID_EFFORT: must be 'fast', 'balanced' or 'accurate', not 'slow'"),
        ("ARCID_LIMITS__FACES", "many", "ARCID_LIMITS__FACES: must be a valid integer, not 'many'"),
        ("ARCID_LIMITS__FACES", "0", "ARCID_LIMITS__FACES: must be greater than 0, not '0'"),
        ("ARCID_LOG_JSON", "perhaps", "ARCID_LOG_JSON: must be a valid boolean, not 'perhaps'"),
        (
            "ARCID_RATES__KEY",
            "100",
            "ARCID_RATES__KEY: '100' is not a rate; write 100/minute (second, minute, hour, day), or none",
        ),
        ("ARCID_LIMITS", "many", "ARCID_LIMITS: it, or a table in it, must be a JSON object"),
    ],
)
def test_a_wrong_value_is_repeated(monkeypatch, name, value, message):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid) as refused:
        read_settings()
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ARCID_OIDC__ISSUER", "http://me:s3cret@id.example.org"),
        ("ARCID_TRACING__ENDPOINT", "me:s3cret@collector"),
        ("ARCID_LIMITS__FACES", "s3cret" * 20),
        ("ARCID_OIDC", '{"client_secret": ["s3cret"]}'),
    ],
)
def test_a_wrong_value_that_may_hold_a_secret_or_is_long_is_not_repeated(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid, match=f"^{name}") as refused:
        read_settings()
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_refused_by_its_name(monkeypatch, name):
    monkeypatch.setenv(name, WRONG[name])
    with pytest.raises(SettingsInvalid, match=f"^{name}: "):
        read_settings()


@pytest.mark.parametrize("said", ["many", "[", "[1]", '{"photo": 1}'])
def test_a_wrong_group_is_refused_by_its_name(monkeypatch, said):
    monkeypatch.setenv("ARCID_LIMITS", said)
    with pytest.raises(SettingsInvalid, match=r"(?i)limits"):
        read_settings()


def test_values_may_lie_in_files(monkeypatch, tmp_path):
    monkeypatch.setenv("ARCID_SECRETS_DIR", str(tmp_path))
    (tmp_path / "arcid_database_url").write_text("postgresql://db/arcid\n")
    (tmp_path / "arcid_milvus__token").write_text("root:milvus")
    (tmp_path / "keystore").write_bytes(b"\xff none of ours")
    assert read_settings().database_url == "postgresql://db/arcid"
    assert read_settings().milvus.token == SecretStr("root:milvus")
    monkeypatch.setenv("ARCID_DATABASE_URL", "postgresql://other/arcid")
    assert read_settings().database_url == "postgresql://other/arcid"
    assert read_settings(database_url=None).database_url is None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("arcid_databse_url", b"postgresql://", "no setting is called arcid_databse_url"),
        ("arcid_database_url", b"\xff", "arcid_database_url cannot be read"),
        ("arcid_limits__waiting", b"many", "^ARCID_LIMITS__WAITING: "),
    ],
)
def test_a_wrong_file_is_refused_by_its_name(monkeypatch, tmp_path, name, content, message):
    monkeypatch.setenv("ARCID_SECRETS_DIR", str(tmp_path))
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SettingsInvalid, match=message):
        read_settings()


def test_a_folder_of_secrets_that_is_not_there_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("ARCID_SECRETS_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(SettingsInvalid, match=r"ARCID_SECRETS_DIR: .*nowhere cannot be read"):
        read_settings()


def test_overrides_win(monkeypatch):
    monkeypatch.setenv("ARCID_PACK", "buffalo_l")
    assert read_settings(pack="mtcnn").pack == "mtcnn"
    with pytest.raises(SettingsInvalid, match=r"^ARCID_PAK: "):
        read_settings(pak="mtcnn")


def test_settings_are_frozen():
    settings = read_settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.pack = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        settings.limits.photo_bytes = 1  # type: ignore[misc]


def test_every_setting_says_what_it_is():
    def described(group: type[BaseModel]) -> list[str | None]:
        descriptions: list[str | None] = []
        for field in group.model_fields.values():
            kind = field.annotation
            is_group = isinstance(kind, type) and issubclass(kind, BaseModel)
            descriptions += described(kind) if is_group else [field.description]  # type: ignore[arg-type]
        return descriptions

    assert all(described(Settings))
    assert len(described(Settings)) == len(SETTINGS)


@pytest.mark.parametrize("name", ["models", "migrations"])
def test_what_ships_lies_beside_the_code(name):
    assert shipped(name) == PROJECT / name
    assert shipped(name).is_dir()


def test_the_networks_follow_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCID_DATA_DIR", str(tmp_path))
    assert models_folder(read_settings()) == tmp_path / "models"
    assert models_folder(read_settings(models_dir=tmp_path / "nets")) == tmp_path / "nets"
    (tmp_path / "nets" / "models").mkdir(parents=True)  # as earlier versions required
    assert models_folder(read_settings(models_dir=tmp_path / "nets")) == tmp_path / "nets" / "models"
