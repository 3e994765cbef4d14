"""`arcid train adapter` and `arcid train finetune` on a small custom pack."""

import numpy as np
import pytest
from typer.testing import CliRunner

from app.cli import cli
from app.errors import LicenceNotAccepted, TrainingUnavailable
from app.training.checkpoint import load_trained
from app.vision.inference.packs import Packs
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session
from tests.training.finetune.networks import DIMENSION, embedder
from tests.training.people import write_people

MANIFEST = f"""
title = "Small"
licence = "for research"
commercial_use = "no"
default_detector = "yunet"
[embedder]
model = "small"
file = "small.onnx"
dimension = {DIMENSION}
input_size = 112
color = "bgr"
mean = 0
scale = 1
alignment = "arcface-112"
threshold = 0.3
[[files]]
name = "small.onnx"
"""


@pytest.fixture
def arcid(tmp_path, monkeypatch):
    """Return the command line with the pack `small` added."""
    monkeypatch.setenv("ARCID_DATA_DIR", str(tmp_path / "home"))
    monkeypatch.setenv("ARCID_MODELS_DIR", str(tmp_path / "home" / "models"))
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "manifest.toml").write_text(MANIFEST)
    (tmp_path / "small" / "small.onnx").write_bytes(embedder(112))

    def run(*arguments):
        done = CliRunner().invoke(cli, [str(each) for each in arguments])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output

    run("models", "add", "--accept-license", tmp_path / "small")
    return run


@pytest.fixture
def people(tmp_path):
    return write_people(tmp_path / "people", people=4, photos=3)


@pytest.fixture
def added(tmp_path):
    """Return a function: added("name") adds a pack and returns its manifest."""
    packs = Packs(tmp_path / "none", tmp_path / "home" / "models")
    return lambda name: (packs, packs.manifest(name))


def test_an_adapter_is_one_network_with_the_packs_licence(arcid, people, added, tmp_path):
    written = arcid("train", "adapter", "--pack", "small", "--data", people, "--aligned", "--out", tmp_path / "out")
    assert "not calibrated" in written
    folder = tmp_path / "out" / "small-adapted"
    with pytest.raises(LicenceNotAccepted):
        arcid("models", "add", folder)
    arcid("models", "add", "--accept-license", folder)
    packs, manifest = added("small-adapted")
    assert (manifest.licence, manifest.commercial_use, manifest.default_detector) == ("for research", "no", "yunet")
    section = manifest.embedder
    assert (section.color, section.mean, section.scale, section.dimension) == ("bgr", 0, 1, DIMENSION)
    assert section.model.startswith("small-adapted-")
    batch = np.random.default_rng(0).uniform(0, 255, (3, 3, 112, 112)).astype(np.float32)
    (before,) = Session(embedder(112), Runtime()).run(batch)
    (after,) = Session(packs.verified(manifest, section.file), Runtime()).run(batch)
    assert after.shape == before.shape
    assert np.abs(after - before).max() > 1e-3


def test_a_finetuned_network_is_exported_with_the_packs_licence(arcid, people, added, tmp_path):
    run = tmp_path / "runs" / "finer"
    options = ["--aligned", "--epochs", 2, "--batch-size", 6, "--loss", "normface", "--freeze"]
    arcid("train", "finetune", "--pack", "small", "--data", people, "--out", run, *options)
    start = load_trained(run).config.start
    assert start is not None
    assert (start.pack, start.bgr, start.frozen) == ("small", True, True)
    assert start.rate == pytest.approx(0.1)
    arcid("train", "export", run, "--out", tmp_path / "out", "--threshold", 0.4)
    arcid("models", "add", "--accept-license", tmp_path / "out" / "finer")
    packs, manifest = added("finer")
    assert (manifest.licence, manifest.commercial_use, manifest.default_detector) == ("for research", "no", "yunet")
    assert (manifest.embedder.color, manifest.embedder.threshold) == ("rgb", 0.4)
    assert packs.verified(manifest, "finer.onnx")


@pytest.mark.parametrize("command", [("adapter", "--data", "."), ("finetune", "--data", "."), ("export", ".")])
def test_without_pytorch_the_remedy_is_said(command, arcid, monkeypatch, tmp_path):
    monkeypatch.setattr("app.cli.train.find_spec", lambda _: None)
    with pytest.raises(TrainingUnavailable, match="make training"):
        arcid("train", *command, "--out", tmp_path / "out")
