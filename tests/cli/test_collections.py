import shutil

import numpy as np
import pytest

from app.config import read_settings
from app.container import Container
from app.errors import (
    CollectionExists,
    CollectionNotEmpty,
    CollectionUnknown,
    EncryptionRequired,
    LivenessUnavailable,
    PackUnknown,
    RequestInvalid,
    SchemaOutdated,
    SettingsInvalid,
)
from app.gallery.store.values import CollectionSettings, NewFace, Person, Reaction
from app.types import Detection, Impostors
from app.vision.quality import Quality

_FLAGS = ", flag duplicates, flag mismatches"
FLIPPED = f"flip-averaged, quality from 0.25 (enrollment) and 0.2 (probe){_FLAGS}"


def settings_of(name: str) -> CollectionSettings:
    return Container(read_settings()).store.collection(name).settings


def enroll(name: str, identity_id: str, faces: int) -> None:
    store = Container(read_settings()).store
    detection = Detection((0, 0, 9, 9), 0.9, np.zeros((5, 2), np.float32))
    vector = np.array([1, 0, 0], np.float32)
    new = [NewFace(f"{identity_id}-{number}", vector, 1, Quality(0.5), detection, "0" * 64) for number in range(faces)]
    store.enroll(store.collection(name), Person(identity_id), new)


def rows(output: str) -> list[list[str]]:
    return [line.split() for line in output.splitlines()[1:]]


def test_a_collection_is_made_for_the_network_in_use(arcid, tiny):
    result = arcid("collections", "create", "people")
    assert (result.exit_code, result.output) == (0, "people: created for tiny-net\n")
    created = Container(read_settings()).store.collection("people")
    assert (created.model, created.dimension, created.revision) == ("tiny-net", 3, 0)


def test_a_collection_needs_no_pulled_network(arcid):
    assert arcid("collections", "create", "people").output == "people: created for sface-2021dec\n"


def test_collections_are_listed(arcid, tiny, monkeypatch):
    arcid("collections", "create", "people")
    monkeypatch.setenv("ARCID_PACK", "buffalo_l")
    arcid("collections", "create", "guests")
    result = arcid("collections", "list")
    assert result.exit_code == 0
    assert rows(result.output) == [
        ["guests", "arcface-w600k-r50", "0", "0", "0", *FLIPPED.split()],
        ["people", "tiny-net", "0", "0", "0", *FLIPPED.split()],
    ]


def test_a_name_is_taken_once(arcid, tiny):
    arcid("collections", "create", "people")
    result = arcid("collections", "create", "people")
    assert isinstance(result.exception, CollectionExists)
    assert len(rows(arcid("collections", "list").output)) == 1


@pytest.mark.parametrize(("pack", "error"), [("yunet", SettingsInvalid), ("opne", PackUnknown)])
def test_a_pack_that_cannot_embed(arcid, monkeypatch, pack, error):
    monkeypatch.setenv("ARCID_PACK", pack)
    assert isinstance(arcid("collections", "create", "people").exception, error)


def test_a_database_of_ones_own_is_not_upgraded_silently(arcid, tmp_path, monkeypatch):
    monkeypatch.setenv("ARCID_DATABASE_URL", f"sqlite:///{tmp_path / 'own.db'}")
    for command in (("create", "people"), ("list",)):
        assert isinstance(arcid("collections", *command).exception, SchemaOutdated)
    arcid("db", "upgrade")
    assert arcid("collections", "create", "people").exit_code == 0


def test_the_list_counts_people_faces_and_writes(arcid, tiny):
    arcid("collections", "create", "people", "--no-flip", "--probe-quality", "0")
    enroll("people", "ada", 3)
    enroll("people", "bob", 1)
    result = arcid("collections", "list")
    assert result.output.splitlines()[0].split() == [
        "collection",
        "network",
        "identities",
        "faces",
        "revision",
        "settings",
    ]
    described = f"plain, quality from 0.25 (enrollment) and 0 (probe){_FLAGS}"
    assert rows(result.output) == [["people", "tiny-net", "2", "4", "2", *described.split()]]


# Settings


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ((), CollectionSettings()),
        (("--flip",), CollectionSettings(is_flip_averaged=True)),
        (("--no-flip",), CollectionSettings(is_flip_averaged=False)),
        (("--enroll-quality", "0.5"), CollectionSettings(enroll_quality=0.5)),
        (("--no-flip", "--enroll-quality", "0", "--probe-quality", "1"), CollectionSettings(False, 0, 1)),  # noqa: FBT003 - a value
    ],
)
def test_a_collection_is_made_with_the_settings_asked_for(arcid, tiny, options, settings):
    assert arcid("collections", "create", "people", *options).exit_code == 0
    assert settings_of("people") == settings


@pytest.mark.parametrize(
    ("setting", "options", "is_flip_averaged"),
    [("false", (), False), ("false", ("--flip",), True), ("true", ("--no-flip",), False), ("true", (), True)],
)
def test_the_setting_holds_for_a_new_collection_that_says_nothing(
    arcid, tiny, monkeypatch, setting, options, is_flip_averaged
):
    monkeypatch.setenv("ARCID_INFERENCE__FLIP", setting)
    arcid("collections", "create", "people", *options)
    assert settings_of("people") == CollectionSettings(is_flip_averaged)


def test_what_is_set_changes_and_the_rest_stays(arcid, tiny):
    arcid("collections", "create", "people", "--enroll-quality", "0.5")
    result = arcid("collections", "set", "people", "--no-flip", "--probe-quality", "0.3")
    described = f"plain, quality from 0.5 (enrollment) and 0.3 (probe){_FLAGS}"
    assert (result.exit_code, result.output) == (0, f"people: {described}\n")
    assert settings_of("people") == CollectionSettings(is_flip_averaged=False, enroll_quality=0.5, probe_quality=0.3)
    assert arcid("collections", "set", "people").output == f"people: {described}\n"
    assert rows(arcid("collections", "list").output)[0][5:] == described.split()


def test_reactions_are_made_and_set(arcid, tiny):
    arcid("collections", "create", "people", "--on-duplicate", "reject")
    result = arcid("collections", "set", "people", "--on-mismatch", "allow")
    assert result.output.endswith(", reject duplicates, allow mismatches\n")
    assert settings_of("people") == CollectionSettings(on_duplicate=Reaction.REJECT, on_mismatch=Reaction.ALLOW)
    assert arcid("collections", "set", "people", "--on-mismatch", "shrug").exit_code == 2


def test_the_setting_does_not_change_a_collection_that_is_there(arcid, tiny, monkeypatch):
    arcid("collections", "create", "people")
    monkeypatch.setenv("ARCID_INFERENCE__FLIP", "false")
    arcid("collections", "set", "people", "--enroll-quality", "0.4")
    assert settings_of("people") == CollectionSettings(is_flip_averaged=True, enroll_quality=0.4)


def test_once_somebody_is_enrolled_only_the_gates_can_be_set(arcid, tiny):
    arcid("collections", "create", "people")
    enroll("people", "ada", 1)
    assert arcid("collections", "set", "people", "--flip", "--enroll-quality", "0.4").exit_code == 0
    result = arcid("collections", "set", "people", "--no-flip", "--enroll-quality", "0.1")
    assert isinstance(result.exception, CollectionNotEmpty)
    assert settings_of("people") == CollectionSettings(enroll_quality=0.4)


def test_a_collection_that_does_not_exist_cannot_be_set(arcid, tiny):
    arcid("db", "upgrade")
    assert isinstance(arcid("collections", "set", "nobody", "--flip").exception, CollectionUnknown)


@pytest.mark.parametrize("option", ["--enroll-quality", "--probe-quality"])
@pytest.mark.parametrize("quality", ["-0.1", "1.01", "good", "nan"])
def test_a_quality_is_from_0_to_1(arcid, tiny, option, quality):
    result = arcid("collections", "create", "people", option, quality)
    assert (result.exit_code, option in result.output) == (2, True)
    arcid("collections", "create", "people")
    assert arcid("collections", "set", "people", option, quality).exit_code == 2
    assert settings_of("people") == CollectionSettings()


# Networks, detectors and rules


@pytest.fixture
def second(arcid, tiny, tiny_folder, monkeypatch):
    """A second pack, served in addition to the first."""
    folder = tiny_folder.parent / "second"
    shutil.copytree(tiny_folder, folder)
    manifest = folder / "manifest.toml"
    manifest.write_text(manifest.read_text().replace("tiny-net", "second-net"))
    assert arcid("models", "add", str(folder)).exit_code == 0
    monkeypatch.setenv("ARCID_PACKS", "second")


@pytest.mark.parametrize("name", ["second", "second-net"])
def test_a_collection_is_made_for_any_network_that_is_served(arcid, second, name):
    result = arcid("collections", "create", "people", "--model", name)
    assert (result.exit_code, result.output) == (0, "people: created for second-net\n")
    assert rows(arcid("collections", "list").output)[0][1] == "second-net"


def test_a_network_that_is_not_served_is_refused(arcid, tiny):
    result = arcid("collections", "create", "people", "--model", "open")
    assert isinstance(result.exception, RequestInvalid)
    assert "ARCID_PACKS" in str(result.exception)


def test_a_collection_has_rules_of_its_own(arcid, tiny):
    assert arcid("collections", "create", "people", "--max-fmr", "0.001", "--max-fpir", "0.1").exit_code == 0
    assert settings_of("people") == CollectionSettings(max_fmr=0.001, max_fpir=0.1)
    assert "max_fmr 0.001, max_fpir 0.1" in arcid("collections", "list").output
    assert isinstance(arcid("collections", "set", "people", "--threshold", "0.5").exception, RequestInvalid)
    reset = ("--reset", "max_fmr", "--reset", "max_fpir")
    assert arcid("collections", "set", "people", "--threshold", "0.5", *reset).exit_code == 0
    assert settings_of("people") == CollectionSettings(threshold=0.5)
    assert isinstance(arcid("collections", "set", "people", "--reset", "flip").exception, SettingsInvalid)


def test_the_impostors_of_its_error_rates_can_be_set(arcid, tiny):
    assert arcid("collections", "create", "people", "--impostors", "similar").exit_code == 0
    assert settings_of("people") == CollectionSettings(impostors=Impostors.SIMILAR)
    assert "impostors similar" in arcid("collections", "list").output
    assert arcid("collections", "set", "people", "--reset", "impostors").exit_code == 0
    assert settings_of("people") == CollectionSettings()


def test_liveness_needs_a_detector_of_attacks(arcid, tiny):
    for mode in ("observe", "enforce"):
        assert isinstance(arcid("collections", "create", "people", "--liveness", mode).exception, LivenessUnavailable)
    assert arcid("collections", "create", "people", "--liveness", "off").exit_code == 0
    assert isinstance(arcid("collections", "set", "people", "--liveness", "observe").exception, LivenessUnavailable)
    assert settings_of("people") == CollectionSettings()


def test_a_detector_of_its_own_must_be_there(arcid, tiny):
    result = arcid("collections", "create", "people", "--detector", "yunet")
    assert isinstance(result.exception, RequestInvalid)


def test_crops_are_not_kept_without_encryption(arcid, tiny):
    assert isinstance(arcid("collections", "create", "people", "--keep-crops").exception, EncryptionRequired)
    arcid("collections", "create", "people")
    assert isinstance(arcid("collections", "set", "people", "--keep-crops").exception, EncryptionRequired)
    assert settings_of("people") == CollectionSettings()


def test_people_are_kept_for_so_long_and_only_with_consent(arcid, tiny):
    assert arcid("collections", "create", "people", "--retention-days", "30", "--require-consent").exit_code == 0
    out = arcid("collections", "list").stdout
    assert "retention_days 30" in out
    assert "only with consent" in out
    changed = arcid("collections", "set", "people", "--reset", "retention_days", "--no-require-consent").stdout
    assert "retention_days" not in changed
    assert "consent" not in changed
    assert arcid("collections", "create", "other", "--retention-days", "0").exit_code == 2


@pytest.mark.parametrize("name", ["..", ".", "a/b", "no spaces", "", "%2e%2e", "x" * 65])
def test_a_name_that_is_no_part_of_a_path_is_refused(arcid, tiny, name):
    assert isinstance(arcid("collections", "create", name).exception, SettingsInvalid)
    result = arcid("import-archive", "nothing.zip", "--collection", name)
    assert isinstance(result.exception, SettingsInvalid)
