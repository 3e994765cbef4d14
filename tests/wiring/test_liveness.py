"""The detector of presentation attacks by the settings: opened late and once, from a pack that must fit."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.config import PROJECT, Settings
from app.config.groups import LivenessSettings
from app.errors import ManifestInvalid, NetworkMissing, PackUnknown, SettingsInvalid
from app.types import Detection
from app.vision.imaging.decode import Limits, decode
from app.vision.inference.packs import Packs
from app.wiring.liveness import LivenessLoader
from app.wiring.model_loading import ModelLoader
from app.wiring.networks import require_openable
from tests.conftest import MODELS
from tests.vision.liveness.fakes import SIDE, brightness_network

MANIFEST = f"""
title = "Bright faces are live"
licence = "for tests only"
commercial_use = "yes"

[liveness]
attack_below = 0.2
live_from = 0.5

[[liveness.networks]]
file = "brightness.onnx"
crop = "shifted"
crop_scale = 2.7
input_size = {SIDE}
color = "bgr"
divisor = 10.0
live_class = 1

[[files]]
name = "brightness.onnx"
"""
FACE = Detection((100.0, 100.0, 200.0, 220.0), 0.9, np.zeros((5, 2), np.float32))


def folder_of(tmp_path: Path, manifest: str = MANIFEST, network: bytes | None = None) -> Path:
    folder = tmp_path / "bright"
    folder.mkdir()
    (folder / "manifest.toml").write_text(manifest, "utf-8")
    (folder / "brightness.onnx").write_bytes(network or brightness_network())
    return folder


@pytest.fixture
def added(tmp_path):
    """Packs to which `bright` was added."""
    packs = Packs(MODELS, tmp_path / "models")
    packs.add(folder_of(tmp_path), require=require_openable)
    return packs


def test_the_detector_is_opened_when_it_is_needed_and_once(added):
    models = ModelLoader(Settings(liveness=LivenessSettings(pack="bright")), added)
    loader = models.liveness
    assert models.packs_in_use == {"open"}
    with ThreadPoolExecutor(8) as pool:
        (detector,) = set(pool.map(lambda _: loader.open(), range(8)))
    (dark,) = detector.evidence(np.zeros((400, 300, 3), np.uint8), [FACE])
    (bright,) = detector.evidence(np.full((400, 300, 3), 200, np.uint8), [FACE])
    assert (dark.score, bright.signs) == (0.5, ())
    assert bright.score > 0.99
    assert (loader.section.attack_below, loader.section.live_from) == (0.2, 0.5)
    loader.require_files()
    assert models.packs_in_use == {"open", "bright"}


def test_a_missing_pack_names_the_command_that_pulls_it(tmp_path):
    loader = ModelLoader(Settings(), Packs(MODELS, tmp_path)).liveness
    for need in (loader.open, loader.require_files):
        with pytest.raises(NetworkMissing, match="run: arcid models pull minifas-fused"):
            need()


def test_a_pack_of_another_kind_is_refused(tmp_path):
    packs = Packs(MODELS, tmp_path)
    with pytest.raises(SettingsInvalid, match="'yunet' does not detect presentation attacks"):
        LivenessLoader(packs, "yunet").open()
    with pytest.raises(PackUnknown, match="did you mean minifasnet"):
        LivenessLoader(packs, "minifastnet").open()


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        (f"input_size = {SIDE}", "input_size = 80", r"takes \(32, 32\), the manifest has 80"),
        ("live_class = 1", "live_class = 2", "with the class 2"),
    ],
)
def test_a_network_that_differs_from_its_manifest_is_not_added(tmp_path, right, wrong, said):
    packs = Packs(MODELS, tmp_path / "models")
    with pytest.raises(ManifestInvalid, match=said):
        packs.add(folder_of(tmp_path, MANIFEST.replace(right, wrong)), require=require_openable)


# Samples of minivision-ai/Silent-Face-Anti-Spoofing, not part of the project, with their boxes by `yunet`.
SAMPLES = {
    "image_T1.jpg": (119.0, 114.0, 289.0, 354.0),
    "image_F1.jpg": (187.0, 110.0, 383.0, 349.0),
    "image_F2.jpg": (139.0, 216.0, 362.0, 515.0),
}
PHOTOS = PROJECT.parent / "shared" / "pad"


@pytest.mark.parametrize("pack", ["minifas-fused", "minifasnet", "minifas-128"])
def test_the_shipped_packs_tell_the_live_sample_from_the_attacks(packs, pack):
    if not packs.has(packs.manifest(pack)):
        pytest.skip(f"the pack {pack} is not pulled; run: arcid models pull {pack}")
    if not PHOTOS.is_dir():
        pytest.skip("the sample photos are not in ../shared/pad")
    loader = LivenessLoader(packs, pack)
    scores = {}
    for name, box in SAMPLES.items():
        photo = decode((PHOTOS / name).read_bytes(), Limits(1_000_000, 1_000_000)).pixels
        (evidence,) = loader.open().evidence(photo, [replace(FACE, box=box)])
        assert evidence.is_usable
        scores[name] = evidence.score
    assert scores.pop("image_T1.jpg") > max(0.99, loader.section.live_from)
    assert max(scores.values()) < min(0.1, loader.section.attack_below)
