import json
from pathlib import Path

import pytest
from onnx import TensorProto, helper
from onnx.external_data_helper import set_external_data

from app.errors import (
    ArchiveUnavailable,
    LicenceNotAccepted,
    ManifestInvalid,
    NetworkCorrupt,
    NetworkInvalid,
    NetworkMissing,
    PackUnknown,
)
from app.vision.inference.downloads import Mirrors
from app.vision.inference.packs import Packs
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session
from tests.vision.inference.conversion.ir_writer import halves, tiny_ir
from tests.vision.inference.releases import UNCLOSED, serving, sha256, tiny_network, zip_of

pytestmark = UNCLOSED

DET, REC = tiny_network(2), tiny_network(3)

EMBEDDER = """
[embedder]
model = "net"
file = "rec.onnx"
dimension = 3
input_size = 112
color = "rgb"
mean = 0
scale = 1
alignment = "arcface-112"
threshold = 0.3
"""


def manifest(
    *,
    use: str = "yes",
    detector: str = "zoo",
    det_sha256: str = sha256(DET),
    det_conversion: str = "[]",
    more: str = "",
) -> str:
    """Return the manifest of a pack with two networks from InsightFace's archive `zoo`."""
    return f"""
title = "Tiny"
licence = "for tests only"
commercial_use = "{use}"
default_detector = "{detector}"
{more}
[detector]
kind = "scrfd"
files = ["det.onnx"]
{EMBEDDER}
[[files]]
name = "det.onnx"
archive = "zoo"
member = "det_500m.onnx"
sha256 = "{det_sha256}"
conversion = {det_conversion}
[[files]]
name = "rec.onnx"
archive = "zoo"
member = "w600k_mbf.onnx"
sha256 = "{sha256(REC)}"
[archives.zoo]
registry = "insightface"
package = "zoo"
version = "model-zoo"
"""


OWN = f"""
title = "Mine"
licence = "mine"
commercial_use = "yes"
{EMBEDDER}
[[files]]
name = "rec.onnx"
"""


@pytest.fixture
def shipped(tmp_path):
    folder = tmp_path / "shipped"
    folder.mkdir()
    (folder / "zoo.toml").write_text(manifest())
    return folder


@pytest.fixture
def releases(tmp_path, monkeypatch):
    """Folder and address of a server with the archive `zoo`."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path / "releases"
    folder.mkdir()
    (folder / "zoo.zip").write_bytes(zip_of({"det_500m.onnx": DET, "w600k_mbf.onnx": REC, "readme.txt": b"no network"}))
    with serving(folder) as address:
        yield folder, address


@pytest.fixture
def packs(tmp_path, shipped, releases) -> Packs:
    return Packs(shipped, tmp_path / "data" / "models", Mirrors(insightface=releases[1]))


@pytest.fixture
def pulled(packs):
    """Packs with `zoo` pulled."""
    packs.pull(packs.manifest("zoo"))
    return packs


def folder_of(packs: Packs, name: str) -> Path:
    return packs._folder / name


def files_of(packs: Packs) -> list[str]:
    """Return all files in the data folder, including hidden ones."""
    return sorted(str(path.relative_to(packs._folder)) for path in packs._folder.rglob("*"))


@pytest.fixture
def own(tmp_path):
    """A folder that an operator might add."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "manifest.toml").write_text(OWN)
    (folder / "rec.onnx").write_bytes(REC)
    (folder / "notes.txt").write_text("not part of the pack")
    return folder


# Pulling


def test_pulling_brings_the_networks_and_their_record(packs):
    zoo = packs.manifest("zoo")
    assert not packs.has(zoo)
    assert packs.sha256(zoo, "det.onnx") is None
    packs.pull(zoo)
    assert packs.has(zoo)
    assert files_of(packs) == ["zoo", "zoo/det.onnx", "zoo/pulled.json", "zoo/rec.onnx"]
    assert packs.verified(zoo, "det.onnx").read_bytes() == DET
    assert packs.verified(zoo, "rec.onnx").read_bytes() == REC
    assert (packs.sha256(zoo, "det.onnx"), packs.sha256(zoo, "other.onnx")) == (sha256(DET), None)
    assert folder_of(packs, "zoo").joinpath("det.onnx").stat().st_mode & 0o777 == 0o644


def test_an_archive_may_have_a_folder_of_its_own_name(packs, releases):
    (releases[0] / "zoo.zip").write_bytes(zip_of({"zoo/det_500m.onnx": DET, "zoo/w600k_mbf.onnx": REC}))
    zoo = packs.manifest("zoo")
    packs.pull(zoo)
    assert packs.verified(zoo, "rec.onnx").read_bytes() == REC


def test_an_archive_is_downloaded_once_for_all_its_files(packs, capfd):
    packs.pull(packs.manifest("zoo"))
    assert capfd.readouterr().out.count("Downloading") == 1


def test_the_record_is_of_the_converted_bytes(packs, shipped, releases):
    module = b"data = " + repr(DET).encode()
    (releases[0] / "zoo.zip").write_bytes(zip_of({"det_500m.onnx": module, "w600k_mbf.onnx": REC}))
    (shipped / "zoo.toml").write_text(manifest(det_sha256=sha256(module), det_conversion='["bytes-literal"]'))
    zoo = packs.manifest("zoo")
    packs.pull(zoo)
    assert packs.verified(zoo, "det.onnx").read_bytes() == DET
    assert packs.sha256(zoo, "det.onnx") == sha256(DET)


def test_pulling_again_mends(pulled):
    zoo = pulled.manifest("zoo")
    (folder_of(pulled, "zoo") / "det.onnx").write_bytes(b"damaged")
    (folder_of(pulled, "zoo") / "pulled.json").write_text("damaged")
    pulled.pull(zoo)
    assert pulled.verified(zoo, "det.onnx").read_bytes() == DET


def test_a_licence_must_be_accepted_before_anything_is_downloaded(packs, shipped, capfd):
    (shipped / "zoo.toml").write_text(manifest(use="no"))
    zoo = packs.manifest("zoo")
    with pytest.raises(LicenceNotAccepted, match=r"zoo is published under: for tests only.*--accept-license"):
        packs.pull(zoo)
    assert "Downloading" not in capfd.readouterr().out
    assert files_of(packs) == []
    packs.pull(zoo, is_licence_accepted=True)
    assert packs.has(zoo)


FAILURES = {
    "hash": (manifest(det_sha256="0" * 64), None, NetworkCorrupt),
    "hash of the second file": (manifest(), {"det_500m.onnx": DET, "w600k_mbf.onnx": DET}, NetworkCorrupt),
    "member missing": (manifest(), {"det_500m.onnx": DET}, ArchiveUnavailable),
    "conversion unknown": (manifest(det_conversion='["magic"]'), None, ManifestInvalid),
    "conversion fails": (manifest(det_conversion='["bytes-literal"]'), None, NetworkInvalid),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("is_here", [False, True])
def test_what_fails_leaves_everything_as_it_was(packs, shipped, releases, failure, is_here):
    text, archive, error = FAILURES[failure]
    if is_here:
        packs.pull(packs.manifest("zoo"))
    before = files_of(packs)
    (shipped / "zoo.toml").write_text(text)
    if archive:
        (releases[0] / "zoo.zip").write_bytes(zip_of(archive))
    with pytest.raises(error):
        packs.pull(packs.manifest("zoo"))
    assert files_of(packs) == before
    assert packs.has(packs.manifest("zoo")) is is_here
    if is_here:
        assert packs.verified(packs.manifest("zoo"), "det.onnx").read_bytes() == DET


def test_an_archive_that_is_not_there(packs, releases):
    (releases[0] / "zoo.zip").unlink()
    with pytest.raises(ArchiveUnavailable, match=r"zoo\.zip could not be downloaded"):
        packs.pull(packs.manifest("zoo"))
    assert files_of(packs) == []


# Verifying


def test_a_flipped_bit_is_detected(pulled):
    zoo, path = pulled.manifest("zoo"), folder_of(pulled, "zoo") / "rec.onnx"
    data = bytearray(path.read_bytes())
    for place in (0, len(data) // 2, len(data) - 1):
        data[place] ^= 1
        path.write_bytes(data)
        with pytest.raises(
            NetworkCorrupt, match=rf"rec\.onnx: SHA-256 is {sha256(bytes(data))}, expected {sha256(REC)}"
        ):
            pulled.verified(zoo, "rec.onnx")
        data[place] ^= 1
    path.write_bytes(data)
    assert pulled.verified(zoo, "rec.onnx") == path


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\0", lambda _: b""])
def test_another_length_is_detected(pulled, change):
    path = folder_of(pulled, "zoo") / "rec.onnx"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(NetworkCorrupt):
        pulled.verified(pulled.manifest("zoo"), "rec.onnx")


def test_a_missing_file_says_what_brings_it(pulled):
    zoo = pulled.manifest("zoo")
    (folder_of(pulled, "zoo") / "rec.onnx").unlink()
    assert not pulled.has(zoo)
    with pytest.raises(NetworkMissing, match=r"rec\.onnx is missing; run: arcid models pull zoo"):
        pulled.verified(zoo, "rec.onnx")
    assert pulled.verified(zoo, "det.onnx")


@pytest.mark.parametrize("record", ["", "{", "[]", "null", '"text"', "\udcff"])
def test_a_damaged_record_is_detected(pulled, record):
    zoo = pulled.manifest("zoo")
    (folder_of(pulled, "zoo") / "pulled.json").write_text(record, "utf-8", "surrogateescape")
    for use in (pulled.verified, pulled.sha256):
        with pytest.raises(NetworkCorrupt, match=r"pulled\.json is damaged; pull the pack again"):
            use(zoo, "rec.onnx")


@pytest.mark.parametrize("record", [None, {}, {"det.onnx": sha256(DET)}])
def test_a_file_that_the_record_does_not_know_is_not_trusted(pulled, record):
    path = folder_of(pulled, "zoo") / "pulled.json"
    path.unlink()
    if record is not None:
        path.write_text(json.dumps(record))
    with pytest.raises(NetworkCorrupt, match=r"does not know rec\.onnx; run: arcid models pull zoo"):
        pulled.verified(pulled.manifest("zoo"), "rec.onnx")


@pytest.mark.parametrize("value", [None, 5, "", sha256(REC).upper()])
def test_a_record_of_something_else_is_not_trusted(pulled, value):
    (folder_of(pulled, "zoo") / "pulled.json").write_text(json.dumps({"rec.onnx": value}))
    with pytest.raises(NetworkCorrupt):
        pulled.verified(pulled.manifest("zoo"), "rec.onnx")


# Adding


def test_a_folder_of_networks_is_added(packs, own):
    added = packs.add(own)
    assert added == packs.manifest("mine")
    assert files_of(packs) == ["mine", "mine/manifest.toml", "mine/pulled.json", "mine/rec.onnx"]
    assert packs.verified(added, "rec.onnx").read_bytes() == REC
    assert packs.sha256(added, "rec.onnx") == sha256(REC)
    assert [each.name for each in packs.manifests()] == ["mine", "zoo"]


def test_an_added_pack_cannot_take_the_place_of_a_shipped_one(packs, tmp_path, own):
    with pytest.raises(ManifestInvalid, match="already"):
        packs.add(own.rename(tmp_path / "zoo"))
    assert packs.manifest("zoo").archives


def test_an_added_pack_cannot_be_pulled(packs, own):
    with pytest.raises(ManifestInvalid, match="added from a folder"):
        packs.pull(packs.add(own))


def test_a_folder_without_one_of_its_files_is_not_added(packs, own):
    (own / "rec.onnx").unlink()
    with pytest.raises(ManifestInvalid, match=r"rec\.onnx is listed in the manifest but missing"):
        packs.add(own)
    assert files_of(packs) == []


def test_a_folder_without_a_manifest_is_not_added(packs, own):
    (own / "manifest.toml").unlink()
    with pytest.raises(ManifestInvalid, match="No such file"):
        packs.add(own)


def test_a_pinned_file_must_have_its_hash(packs, own):
    (own / "manifest.toml").write_text(f'{OWN}sha256 = "{sha256(DET)}"\n')
    with pytest.raises(NetworkCorrupt):
        packs.add(own)
    assert files_of(packs) == []
    (own / "manifest.toml").write_text(f'{OWN}sha256 = "{sha256(REC)}"\n')
    assert packs.add(own).files[0].sha256 == sha256(REC)


def test_calibrations_come_with_an_added_pack_and_with_no_other(packs, own):
    (own / "calibrations").mkdir()
    (own / "calibrations" / "one.json").write_text("{}")
    (own / "calibrations" / "notes.txt").write_text("no calibration")
    folder = packs.calibrations_of(packs.add(own))
    assert folder is not None
    assert [path.name for path in folder.iterdir()] == ["one.json"]
    assert packs.calibrations_of(packs.manifest("zoo")) is None


def test_a_licence_that_forbids_commercial_use_is_accepted_to_add(packs, own):
    (own / "manifest.toml").write_text(OWN.replace('commercial_use = "yes"', 'commercial_use = "no"'))
    with pytest.raises(LicenceNotAccepted, match=r"published under: mine\. .* add it with --accept-license"):
        packs.add(own)
    assert files_of(packs) == []
    assert packs.add(own, is_licence_accepted=True).name == "mine"


def test_weights_in_another_file_are_refused(packs, own):
    """Among the weights, in a node, or in a branch."""
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [3], bytes(12), raw=True)
    set_external_data(tensor, "weights.bin")
    tensor.ClearField("raw_data")
    inside = helper.make_graph([helper.make_node("Constant", [], ["y"], value=tensor)], "inside", [], [])
    branch = helper.make_node("If", ["x"], ["y"], then_branch=inside, else_branch=inside)
    for nodes, weights in (([], [tensor]), ([inside.node[0]], []), ([branch], [])):
        model = helper.make_model(helper.make_graph(nodes, "net", [], [], weights))
        (own / "rec.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(NetworkInvalid, match=r"rec\.onnx has weights in another file"):
            packs.add(own)
    (own / "rec.onnx").write_bytes(b"\xff\xff")
    with pytest.raises(NetworkInvalid, match=r"rec\.onnx is not an ONNX network"):
        packs.add(own)
    assert files_of(packs) == []


def test_what_is_checked_is_what_is_read(pulled, monkeypatch):
    """The file changes after the first read."""
    zoo, read = pulled.manifest("zoo"), []

    def read_bytes(path):
        read.append(path.name)
        with path.open("rb") as file:
            return file.read()

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    assert pulled.read(zoo, "rec.onnx") == REC
    assert read == ["rec.onnx"]


# Finding


def test_an_unknown_pack_names_the_known_ones(packs, own):
    packs.add(own)
    with pytest.raises(PackUnknown, match="there is no pack 'nothing'; known: mine, zoo"):
        packs.manifest("nothing")


def test_an_unknown_pack_names_the_one_that_is_meant_and_packs_without_an_embedder_last(packs, shipped, own):
    (shipped / "aligner.toml").write_text(manifest().replace(EMBEDDER, ""))
    packs.add(own)
    with pytest.raises(PackUnknown, match=r"there is no pack 'mnie'; did you mean mine\?$"):
        packs.manifest("mnie")
    with pytest.raises(PackUnknown, match=r"did you mean mine\?$"):
        packs.manifest("MINE")
    with pytest.raises(PackUnknown, match=r"known: mine, zoo; without an embedder: aligner$"):
        packs.manifest("nothing")


def test_a_faulty_manifest_is_refused_by_its_path(packs, shipped):
    (shipped / "zoo.toml").write_text("[")
    with pytest.raises(ManifestInvalid, match=r"zoo\.toml"):
        packs.manifest("zoo")


@pytest.fixture
def crowd(shipped, packs):
    for name in ("finder", "landmarker", "other"):
        (shipped / f"{name}.toml").write_text(manifest().replace('default_detector = "zoo"', ""))
    (shipped / "main.toml").write_text(manifest(detector="finder+landmarker"))
    return packs


@pytest.mark.parametrize(
    ("pack", "detector", "names"),
    [
        ("main", None, ["main", "finder", "landmarker"]),
        ("main", "other", ["main", "other"]),
        ("main", "main", ["main"]),
        ("main", "other+main", ["main", "other"]),
        ("main", "other+other", ["main", "other"]),
        ("zoo", None, ["zoo"]),
        ("finder", None, ["finder"]),
    ],
)
def test_a_pack_needs_its_detectors_each_once(crowd, pack, detector, names):
    assert [each.name for each in crowd.required_by(pack, detector)] == names


def test_a_detector_that_does_not_exist(crowd):
    with pytest.raises(PackUnknown, match="'nothing'"):
        crowd.required_by("main", "finder+nothing")


def test_a_data_folder_that_is_not_there_is_empty(packs):
    assert not packs._folder.exists()
    assert [each.name for each in packs.manifests()] == ["zoo"]


# Files by URL

DESCRIPTION, WEIGHTS = tiny_ir(halves(2, 3, 3, 3), halves(1, 2, 1, 1, seed=1))
BY_URL = f"""
title = "By URL"
licence = "for tests only"
commercial_use = "yes"
[[files]]
name = "rec.onnx"
conversion = ["openvino", "free-batch"]
[[files.downloads]]
url = "https://zoo.example/1/rec.xml"
sha256 = "{sha256(DESCRIPTION)}"
[[files.downloads]]
url = "https://zoo.example/1/rec.bin"
sha256 = "{sha256(WEIGHTS)}"
"""


@pytest.fixture
def by_url(tmp_path, shipped):
    """Packs with the pack `zoo2`, whose files are in a folder that serves as mirror."""
    (shipped / "zoo2.toml").write_text(BY_URL)
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "rec.xml").write_bytes(DESCRIPTION)
    (mirror / sha256(WEIGHTS)).write_bytes(WEIGHTS)
    return Packs(shipped, tmp_path / "data" / "models", Mirrors(files=str(mirror)))


def test_files_by_url_are_pulled_and_converted(by_url):
    zoo = by_url.manifest("zoo2")
    by_url.pull(zoo)
    session = Session(by_url.read(zoo, "rec.onnx"), Runtime())
    assert session.output_shapes == {"embedding": (None, 2)}
    both = sha256((sha256(DESCRIPTION) + sha256(WEIGHTS)).encode())
    assert by_url.source_sha256(zoo, "rec.onnx") == both != by_url.sha256(zoo, "rec.onnx")


def test_a_download_with_another_hash_installs_nothing(by_url, tmp_path):
    (tmp_path / "mirror" / "rec.xml").write_bytes(b"other")
    with pytest.raises(NetworkCorrupt, match=r"rec\.xml: SHA-256 is"):
        by_url.pull(by_url.manifest("zoo2"))
    assert not by_url.is_begun(by_url.manifest("zoo2"))


@pytest.mark.parametrize("conversion", ["[]", '["free-batch"]', '["openvino", "openvino"]'])
def test_two_files_need_a_conversion_that_joins_them(by_url, shipped, conversion):
    (shipped / "zoo2.toml").write_text(BY_URL.replace('["openvino", "free-batch"]', conversion))
    with pytest.raises(ManifestInvalid, match="known: "):
        by_url.pull(by_url.manifest("zoo2"))
