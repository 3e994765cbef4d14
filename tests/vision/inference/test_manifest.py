import re
from pathlib import Path

import pytest

from app.config import PROJECT
from app.errors import ManifestInvalid
from app.vision.inference.conversion.steps import _JOINS, _STEPS
from app.vision.inference.manifest import read_manifest

SHIPPED = sorted((PROJECT / "models").glob("*.toml"))

WHOLE = f"""
title = "A pack"
licence = "MIT"
commercial_use = "yes"
default_detector = "mine"

[detector]
kind = "scrfd"
files = ["det.onnx"]

[embedder]
model = "net"
file = "rec.onnx"
dimension = 512
input_size = 112
color = "rgb"
mean = 127.5
scale = 127.5
alignment = "arcface-112"
threshold = 0.3

[[files]]
name = "det.onnx"
archive = "carrier"
member = "networks/det.onnx"
sha256 = "{"a" * 64}"

[[files]]
name = "rec.onnx"
sha256 = "{"b" * 64}"

[archives.carrier]
registry = "pypi"
package = "carrier"
version = "1.0"
sha256 = "{"c" * 64}"
"""


def written(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")
    return path


# Shipped manifests


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_manifest_is_valid_and_pinned(path):
    manifest = read_manifest(path)
    assert manifest.name == path.stem
    assert manifest.detector or manifest.embedder or manifest.liveness or manifest.attributes
    assert {file.name for file in manifest.files} == set(manifest.used_files())
    sources = [source for file in manifest.files for source in file.networks or (file,)]
    for source in sources:
        assert source.source_sha256
        assert source.downloads or source.archive in manifest.archives
        assert set(source.conversion) <= {*_STEPS, *_JOINS}
    assert {source.archive for source in sources if source.archive} == set(manifest.archives)
    for archive in manifest.archives.values():
        assert archive.sha256 or archive.registry == "insightface"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_recommended_detector_ships(path):
    manifest = read_manifest(path)
    names = (manifest.default_detector or "").split("+")
    assert bool(manifest.default_detector) == bool(manifest.embedder)
    for name in filter(None, names):
        assert read_manifest(path.with_name(f"{name}.toml")).detector


def test_packs_of_one_model_have_the_same_embedder():
    by_model: dict[str, set[str]] = {}
    for path in SHIPPED:
        manifest = read_manifest(path)
        if manifest.embedder:
            (sha256,) = [file.source_sha256 for file in manifest.files if file.name == manifest.embedder.file]
            by_model.setdefault(manifest.embedder.model, set()).add(f"{sha256} {manifest.embedder}")
    assert {model: len(embedders) for model, embedders in by_model.items()} == dict.fromkeys(by_model, 1)


def test_ranges_make_another_network_of_a_source(tmp_path):
    own = f'name = "rec.onnx"\nsha256 = "{"b" * 64}"\n'
    assert own in WHOLE
    texts = [WHOLE, *(WHOLE.replace(own, f"{own}ranges = {{value = [0, {high}]}}\n") for high in (1, 2))]
    hashes = [read_manifest(written(tmp_path, text)).files[1].source_sha256 for text in texts]
    assert hashes[0] == "b" * 64
    assert len(set(hashes)) == 3


def test_what_may_not_be_used_commercially_needs_consent():
    needs = {path.stem for path in SHIPPED if read_manifest(path).needs_licence_consent()}
    assert needs == {"antelopev2", "buffalo_l", "buffalo_m", "buffalo_s", "buffalo_sc"}


# Reading


def test_a_manifest_is_read(tmp_path):
    manifest = read_manifest(written(tmp_path, WHOLE))
    assert (manifest.name, manifest.licence, manifest.notes) == ("mine", "MIT", "")
    assert manifest.detector is not None
    assert manifest.embedder is not None
    assert (manifest.detector.files, manifest.embedder.file) == (("det.onnx",), "rec.onnx")
    assert [(file.name, file.archive, file.conversion) for file in manifest.files] == [
        ("det.onnx", "carrier", ()),
        ("rec.onnx", None, ()),
    ]
    assert manifest.archives["carrier"].version == "1.0"
    assert not manifest.needs_licence_consent()


def test_an_added_pack_is_named_for_its_folder(tmp_path):
    assert read_manifest(written(tmp_path / "my-pack", WHOLE, "manifest.toml")).name == "my-pack"


@pytest.mark.parametrize(("use", "needs"), [("yes", False), ("no", True), ("unverified", False)])
def test_consent(tmp_path, use, needs):
    text = WHOLE.replace('commercial_use = "yes"', f'commercial_use = "{use}"')
    assert read_manifest(written(tmp_path, text)).needs_licence_consent() is needs


# Refusals

FAULTS = {
    "no TOML": ("[detector]", "[detector", "mine.toml"),
    "title missing": ('title = "A pack"', "", "title"),
    "licence missing": ('licence = "MIT"', "", "licence"),
    "commercial use unknown": ('"yes"', '"perhaps"', "commercial_use"),
    "unknown key": ('title = "A pack"', 'title = "A pack"\ntitel = "A pack"', "titel: this key is unknown"),
    "unknown key of a file": ("member =", "mebmer = 1\nmember =", "files.0.mebmer: this key is unknown"),
    "a name of its own": ('title = "A pack"', 'title = "A pack"\nname = "open"', "remove `name`"),
    "detector of a strange kind": ('"scrfd"', '"Haar cascade"', "detector.kind"),
    "registry unknown": ('"pypi"', '"ftp"', "registry"),
    "hash too short": ("a" * 64, "a" * 63, "sha256"),
    "hash in capitals": ("a" * 64, "A" * 64, "sha256"),
    "file in another folder": ('name = "det.onnx"', 'name = "../det.onnx"', "files.0.name"),
    "file that is no ONNX": ('name = "det.onnx"', 'name = "det.bin"', "files.0.name"),
    "dimension too small": ("dimension = 512", "dimension = 1", "dimension"),
    "other input size": ("input_size = 112", "input_size = 160", "input_size"),
    "other colours": ('"rgb"', '"grey"', "color"),
    "scale of zero": ("scale = 127.5", "scale = 0", "scale"),
    "other alignment": ('"arcface-112"', '"ffhq"', "alignment"),
    "threshold beyond cosine": ("threshold = 0.3", "threshold = 1.1", "threshold"),
    "detector's file not listed": ('files = ["det.onnx"]', 'files = ["det2.onnx"]', "det2.onnx is used but not listed"),
    "embedder's file not listed": ('file = "rec.onnx"', 'file = "rec2.onnx"', "rec2.onnx is used but not listed"),
    "archive not listed": ('archive = "carrier"', 'archive = "other"', "det.onnx needs a member of an archive"),
    "member missing": ('member = "networks/det.onnx"', "", "det.onnx needs a member of an archive"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named(tmp_path, fault):
    right, wrong, said = FAULTS[fault]
    assert right in WHOLE
    path = written(tmp_path, WHOLE.replace(right, wrong, 1))
    with pytest.raises(ManifestInvalid, match=re.escape(said)) as refused:
        read_manifest(path)
    assert str(refused.value).startswith(f"{path}: ")


@pytest.mark.parametrize("name", ["My Pack.toml", "-x.toml", "Ö.toml"])
def test_a_name_that_is_no_name(tmp_path, name):
    with pytest.raises(ManifestInvalid, match="name"):
        read_manifest(written(tmp_path, WHOLE, name))


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(ManifestInvalid, match="No such file"):
        read_manifest(tmp_path / "mine.toml")
    (tmp_path / "mine.toml").write_bytes(b'title = "\xff"')
    with pytest.raises(ManifestInvalid, match="utf-8"):
        read_manifest(tmp_path / "mine.toml")


# Fused networks

NETWORK = """
[[files.networks]]
weight = {weight}
color = "bgr"
alignment = "zoo-128"
[[files.networks.downloads]]
url = "https://zoo.example/net.onnx"
sha256 = "{sha256}"
"""
FUSED = (
    WHOLE.split("[[files]]", maxsplit=1)[0]
    + '[[files]]\nname = "det.onnx"\n[[files]]\nname = "rec.onnx"\n'
    + NETWORK.format(weight=0.25, sha256="a" * 64)
    + NETWORK.format(weight=0.75, sha256="b" * 64)
)


def test_a_file_may_be_fused_from_networks(tmp_path):
    _, fused = read_manifest(written(tmp_path, FUSED)).files
    assert [(each.weight, each.color, each.alignment) for each in fused.networks] == [
        (0.25, "bgr", "zoo-128"),
        (0.75, "bgr", "zoo-128"),
    ]
    assert [each.downloads[0].name for each in fused.networks] == ["net.onnx", "net.onnx"]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("a" * 64, "c" * 64), ('"bgr"', '"rgb"'), ('"zoo-128"', '"arcface-112"'), ("0.25", "0.25000000001")],
)
def test_the_hash_of_a_fused_network_covers_what_determines_embeddings(tmp_path, right, wrong):
    hashes = set()
    for text in (FUSED, FUSED.replace(right, wrong, 1)):
        _, fused = read_manifest(written(tmp_path, text)).files
        hashes.add(fused.source_sha256)
    assert len(hashes) == 2 - (wrong == "0.25000000001")  # a rounding error changes nothing


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("weight = 0.25", "weight = 0.3", "weights do not sum to 1"),
        ("weight = 0.25", "weight = 0", "weight"),
        (
            'name = "rec.onnx"',
            'name = "rec.onnx"\nconversion = ["openvino"]',
            "must have no separate source, conversion or ranges",
        ),
        ('url = "https://', 'url = "http://', "url"),
        ('url = "https://zoo.example/net.onnx"', 'url = "https://zoo.example/net?file=1"', "url"),
        ('alignment = "zoo-128"', 'alignment = "zoo-128"\narchive = "carrier"', "has downloads, each with a hash"),
        (NETWORK[NETWORK.index("[[files.networks.d") :].format(sha256="a" * 64), "", "one has no source"),
    ],
)
def test_a_fault_of_a_fused_network_is_named(tmp_path, right, wrong, said):
    assert right in FUSED
    with pytest.raises(ManifestInvalid, match=re.escape(said)):
        read_manifest(written(tmp_path, FUSED.replace(right, wrong, 1)))


# Networks against presentation attacks

LIVENESS = """
title = "Live or not"
licence = "MIT"
commercial_use = "yes"

[liveness]
bias = -0.5
attack_below = 0.2
live_from = 0.5

[[liveness.networks]]
file = "live.onnx"
crop = "shifted"
crop_scale = 2.7
input_size = 80
color = "bgr"
divisor = 1.0
live_class = 1

[[files]]
name = "live.onnx"
"""


def test_a_pack_may_detect_presentation_attacks_only(tmp_path):
    manifest = read_manifest(written(tmp_path, LIVENESS))
    assert (manifest.detector, manifest.embedder) == (None, None)
    assert manifest.liveness is not None
    assert (manifest.liveness.bias, manifest.liveness.networks[0].weight) == (-0.5, 1)


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("attack_below = 0.2", "attack_below = 0.6", "attack_below must not exceed live_from"),
        ("live_from = 0.5", "live_from = 1.1", "liveness.live_from"),
        ('"shifted"', '"round"', "liveness.networks.0.crop"),
        ("crop_scale = 2.7", "crop_scale = 0.5", "liveness.networks.0.crop_scale"),
        ("divisor = 1.0", "divisor = 0", "liveness.networks.0.divisor"),
        ("live_class = 1", "live_class = -1", "liveness.networks.0.live_class"),
        ('file = "live.onnx"', 'file = "other.onnx"', "other.onnx is used but not listed"),
    ],
)
def test_a_fault_of_a_liveness_section_is_named(tmp_path, right, wrong, said):
    assert right in LIVENESS
    with pytest.raises(ManifestInvalid, match=re.escape(said)):
        read_manifest(written(tmp_path, LIVENESS.replace(right, wrong, 1)))
