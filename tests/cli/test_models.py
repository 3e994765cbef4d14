import shutil

import pytest

from app.errors import (
    ArchiveUnavailable,
    CalibrationInvalid,
    LicenceNotAccepted,
    ManifestInvalid,
    NetworkCorrupt,
    NetworkInvalid,
    PackUnknown,
    SettingsInvalid,
)
from app.vision.detection.kinds import DETECTOR_KINDS
from tests.conftest import DATA, MODELS
from tests.vision.inference.releases import UNCLOSED, serving, sha256, tiny_network, zip_of

pytestmark = UNCLOSED

PULLED = ("open", "yunet", "retinaface")


@pytest.fixture
def copied(packs, home):
    """A copy of the pulled networks that a test may damage."""
    for name in PULLED:
        if not packs.has(packs.manifest(name)):
            pytest.skip(f"the pack {name} is not pulled; run: arcid models pull {name}")
        shutil.copytree(DATA / "models" / name, home / "models" / name)
    return home / "models"


def row(output: str, pack: str) -> list[str]:
    (found,) = [line.split() for line in output.splitlines() if line.split()[:1] == [pack]]
    return found


def test_all_packs_are_listed_with_what_matters(arcid):
    output = arcid("models", "list").output
    for path in MODELS.glob("*.toml"):
        assert row(output, path.stem)[1] == "no"
    assert row(output, "open")[1:] == ["no", "yes", "Apache-2.0", "yunet+retinaface", "sface-2021dec,", "128-d"]
    assert row(output, "buffalo_l")[1:3] == ["no", "no"]
    assert row(output, "mtcnn")[1:] == ["no", "yes", "MIT", "mtcnn"]
    assert row(output, "minifasnet")[1:] == ["no", "yes", "Apache-2.0", "2", "networks"]


def test_what_is_here_is_listed_as_pulled(arcid, copied):
    output = arcid("models", "list").output
    assert [row(output, name)[1] for name in (*PULLED, "mtcnn")] == ["yes", "yes", "yes", "no"]


def test_what_is_here_is_not_pulled_again(arcid, copied):
    result = arcid("models", "pull", "open", "yunet")
    assert result.exit_code == 0
    assert result.output.splitlines() == ["open: here already", "yunet: here already", "retinaface: here already"]


def test_verify_is_content_with_sound_networks(arcid, copied):
    result = arcid("models", "verify")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "open/sface.onnx: sound",
        "retinaface/retinaface.onnx: sound",
        "yunet/yunet.onnx: sound",
    ]


def test_verify_finds_a_flipped_bit(arcid, copied, flip):
    flip(copied / "yunet" / "yunet.onnx")
    result = arcid("models", "verify")
    assert result.exit_code == 1
    assert "open/sface.onnx: sound" in result.output
    (wrong,) = [line for line in result.output.splitlines() if line.startswith("yunet/yunet.onnx: ")]
    assert "SHA-256 is" in wrong
    assert str(copied / "yunet" / "yunet.onnx") in wrong


def test_verify_finds_a_damaged_record(arcid, tiny):
    (tiny / "pulled.json").write_text("{")
    result = arcid("models", "verify")
    assert result.exit_code == 1
    assert result.output.count("pulled.json is damaged") == 2


def test_there_may_be_nothing_to_verify(arcid):
    result = arcid("models", "verify")
    assert (result.exit_code, result.output) == (0, "")


def test_a_folder_is_added(arcid, tiny_folder):
    result = arcid("models", "add", str(tiny_folder))
    assert (result.exit_code, result.output) == (0, "tiny: added; use it with ARCID_PACK=tiny\n")
    assert row(arcid("models", "list").output, "tiny") == [
        *("tiny", "yes", "yes", "for", "tests", "only", "scrfd", "tiny-net,", "3-d")
    ]
    assert arcid("models", "verify").output.splitlines() == ["tiny/det.onnx: sound", "tiny/rec.onnx: sound"]


def test_a_folder_is_added_from_inside_it(arcid, tiny_folder, monkeypatch):
    monkeypatch.chdir(tiny_folder)
    assert arcid("models", "add", ".").output.startswith("tiny: added")


def test_a_folder_that_is_no_pack_is_refused(arcid, tmp_path):
    assert isinstance(arcid("models", "add", str(tmp_path)).exception, ManifestInvalid)


def test_a_detector_of_an_unknown_kind_is_not_added(arcid, tiny_folder):
    manifest = tiny_folder / "manifest.toml"
    manifest.write_text(manifest.read_text().replace('"scrfd"', '"haar"'))
    with pytest.raises(ManifestInvalid, match=f"'haar' is not one of {', '.join(DETECTOR_KINDS)}"):
        raise arcid("models", "add", str(tiny_folder)).exception


def test_a_network_that_cannot_be_opened_is_not_added(arcid, tiny_folder, home):
    good = (tiny_folder / "rec.onnx").read_bytes()
    for data, kind in ((good[:-20], NetworkInvalid), (tiny_network(5), ManifestInvalid)):
        (tiny_folder / "rec.onnx").write_bytes(data)
        assert isinstance(arcid("models", "add", str(tiny_folder)).exception, kind)
    assert not (home / "models" / "tiny").exists()


def test_a_damaged_calibration_is_not_added(arcid, tiny_folder, home):
    (tiny_folder / "calibrations").mkdir()
    (tiny_folder / "calibrations" / "any.json").write_text("{}")
    assert isinstance(arcid("models", "add", str(tiny_folder)).exception, CalibrationInvalid)
    assert not (home / "models" / "tiny").exists()


def test_a_research_pack_is_added_with_consent(arcid, tiny_folder):
    manifest = tiny_folder / "manifest.toml"
    manifest.write_text(manifest.read_text().replace('commercial_use = "yes"', 'commercial_use = "no"'))
    assert isinstance(arcid("models", "add", str(tiny_folder)).exception, LicenceNotAccepted)
    assert arcid("models", "add", "--accept-license", str(tiny_folder)).exit_code == 0


def test_an_added_pack_is_not_pulled(arcid, tiny):
    assert arcid("models", "pull", "tiny").output == "tiny: here already\n"
    assert isinstance(arcid("models", "pull", "--again", "tiny").exception, ManifestInvalid)


def test_a_pack_that_does_not_exist(arcid):
    assert isinstance(arcid("models", "pull", "opne").exception, PackUnknown)


def test_a_setting_that_does_not_exist(arcid, monkeypatch):
    monkeypatch.setenv("ARCID_PAK", "open")
    assert isinstance(arcid("models", "list").exception, SettingsInvalid)


# Pulling from a mirror of InsightFace's releases


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path / "releases"
    folder.mkdir()
    with serving(folder) as address:
        monkeypatch.setenv("ARCID_INSIGHTFACE_MIRROR", address)
        yield folder


def test_a_licence_is_accepted_by_an_option(arcid, mirror):
    refused = arcid("models", "pull", "buffalo_sc").exception
    assert isinstance(refused, LicenceNotAccepted)
    assert "non-commercial research use only" in str(refused)
    accepted = arcid("models", "pull", "--accept-license", "buffalo_sc").exception
    assert isinstance(accepted, ArchiveUnavailable)  # accepted, but the mirror is empty


def test_networks_other_than_the_pinned_ones_are_refused(arcid, mirror, home):
    contents = {"det_500m.onnx": tiny_network(2), "w600k_mbf.onnx": tiny_network(3)}
    (mirror / "buffalo_sc.zip").write_bytes(zip_of(contents))
    assert isinstance(arcid("models", "pull", "--accept-license", "buffalo_sc").exception, NetworkCorrupt)
    assert not (home / "models" / "buffalo_sc").exists()


def test_a_pack_is_pulled_once_and_again_on_demand(arcid, mirror, home, tmp_path, monkeypatch):
    shipped, network = tmp_path / "shipped", tiny_network(2)
    shipped.mkdir()
    (shipped / "zoo.toml").write_text(f"""
title = "Zoo"
licence = "for tests only"
commercial_use = "no"
[detector]
kind = "scrfd"
files = ["det.onnx"]
[[files]]
name = "det.onnx"
archive = "zoo"
member = "det.onnx"
sha256 = "{sha256(network)}"
[archives.zoo]
registry = "insightface"
package = "zoo"
version = "model-zoo"
""")
    monkeypatch.setattr("app.wiring.storage.shipped", lambda _name: shipped)
    (mirror / "zoo.zip").write_bytes(zip_of({"det.onnx": network}))
    pull = ("models", "pull", "--accept-license", "zoo")
    assert "zoo: pulled (for tests only)" in arcid(*pull).output
    (home / "models" / "zoo" / "det.onnx").write_bytes(b"damaged")
    assert arcid(*pull).output == "zoo: here already\n"
    assert "zoo: pulled" in arcid(*pull, "--again").output
    assert arcid("models", "verify").output == "zoo/det.onnx: sound\n"
