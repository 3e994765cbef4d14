"""`arcid train adapter` and `arcid train finetune` on a small custom pack."""

import numpy as np
import pytest
import torch

from app.errors import LicenceNotAccepted, PackUnknown, TrainingInvalid, TrainingUnavailable
from app.training.checkpoint import load_trained
from app.training.export.terms import inherited_terms
from app.training.finetune.imported import ImportedNetwork
from app.vision.inference.packs import Packs
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session
from tests.training.finetune.networks import DIMENSION, embedder
from tests.training.own_pack import add_own_pack
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
    return add_own_pack(tmp_path, MANIFEST, embedder(112), "small", monkeypatch)


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


def test_a_finetuned_network_has_the_loss_and_the_schedule_of_a_recipe(arcid, people, tmp_path):
    run = tmp_path / "runs" / "by-recipe"
    options = ["--aligned", "--batch-size", 6, "--set", "schedule.iterations=2"]
    command = ["train", "finetune", "--pack", "small", "--data", people, "--out", run]
    arcid(*command, "--recipe", "am-softmax", *options)
    config = load_trained(run).config
    assert config.start is not None
    assert (config.start.pack, config.loss.name, config.loss.scale) == ("small", "cosface", 30)
    assert (config.schedule.kind, config.schedule.learning_rate, config.schedule.epochs) == ("step", 0.1, None)
    assert config.start.rate == pytest.approx(0.02)  # the network itself keeps its own, low rate


def test_a_student_is_exported_with_the_terms_of_its_teacher(arcid, people, added, tmp_path):
    run = tmp_path / "runs" / "student"
    options = ["--aligned", "--epochs", 1, "--batch-size", 6, "--set", "backbone.width=0.125"]
    options += ["--set", "teacher.relation=2"]
    shown = arcid("train", "distill", "--pack", "small", "--photos", people, "--out", run, *options)
    assert "12 photos" in shown
    config = load_trained(run).config
    assert config.teacher is not None
    assert (config.teacher.pack, config.teacher.dimension, config.start) == ("small", DIMENSION, None)
    assert config.teacher.relation == 2
    assert "CPU time" not in arcid("train", "--resume", "--out", run)
    table = arcid("train", "export", run, "--out", tmp_path / "out", "--aligned", "--compare", people)
    rows = [line.split() for line in table.splitlines()]
    assert [row[0] for row in rows if row and row[0] in {"small", "student"}] == ["small", "student"]
    assert "4 people, 12 photos" in table
    arcid("models", "add", "--accept-license", tmp_path / "out" / "student")
    _, manifest = added("student")
    assert (manifest.licence, manifest.commercial_use, manifest.default_detector) == ("for research", "no", "yunet")
    assert manifest.title == "mobilefacenet; learned from small"
    with pytest.raises(TrainingInvalid, match="already contains a run"):
        arcid("train", "distill", "--pack", "small", "--photos", people, "--out", run)


def test_a_wrong_option_of_distill_is_refused_before_the_teacher_is_copied(arcid, people, tmp_path):
    command = ["train", "distill", "--pack", "small", "--photos", people, "--out", tmp_path / "out", "--aligned"]
    for option, message in (
        (["--learning-rate", 0], r"schedule\.learning_rate: input should be greater than 0"),
        (["--backbone", "mobilfacenet"], "did you mean mobilefacenet"),
        (["--set", "schedul.power=1"], r"unknown key schedul\.power; did you mean schedule\.power\?"),
    ):
        with pytest.raises(TrainingInvalid, match=message):
            arcid(*command, *option)
    assert not (tmp_path / "out").exists()


def test_a_student_can_start_from_a_pack_without_some_of_its_layers(arcid, people, tmp_path):
    run = tmp_path / "runs" / "shorter"
    options = ["--aligned", "--epochs", 1, "--batch-size", 6, "--from", "small", "--set", "start.frozen=true"]
    source = ["--pack", "small", "--photos", people]
    arcid("train", "distill", *source, "--out", run, *options, "--skip", "p1:p2")
    trained = load_trained(run)
    assert trained.config.start is not None
    assert (trained.config.start.skip, trained.config.start.frozen) == ((("p1", "p2"),), True)
    whole = ImportedNetwork(embedder(112))
    assert len(list(trained.backbone.parameters())) < len(list(whole.parameters()))
    for skip, message in (("p2:p1", "does not come before"), ("p1:p9", "no value 'p9'"), ("c1", "VALUE:VALUE")):
        with pytest.raises(TrainingInvalid, match=message):
            arcid("train", "distill", *source, "--out", tmp_path / "other", *options, "--skip", skip)
    with pytest.raises(TrainingInvalid, match="does not run"):
        arcid("train", "distill", *source, "--out", tmp_path / "other", *options, "--skip", "x:c2")


def test_a_run_starts_from_another_run_with_another_loss(arcid, people, tmp_path):
    first, second = tmp_path / "runs" / "first", tmp_path / "runs" / "second"
    tiny = ["--aligned", "--data", people, "--epochs", 1, "--set", "keeping.save_every=1"]
    shape = ["--backbone", "mobilefacenet", "--set", "backbone.width=0.125", "--set", "backbone.dimension=8"]
    arcid("train", "--out", first, *tiny, *shape, "--loss", "normface", "--batch-size", 6)
    triplets = ["--loss", "triplet", "--batch-size", 6, "--set", "data.photos_per_person=3"]
    triplets += ["--set", "schedule.learning_rate=1e-9"]
    arcid("train", "--out", second, "--from", first, *tiny, *triplets)
    trained = load_trained(second)
    assert trained.config.weights is not None
    assert (trained.config.backbone.dimension, trained.config.loss.name) == (8, "triplet")
    assert (trained.config.weights.run, trained.config.weights.licence) == ("first", None)
    before = load_trained(first).backbone.state_dict()
    for name, parameter in trained.backbone.named_parameters():
        torch.testing.assert_close(parameter.detach(), before[name])
    arcid(
        "train", "--out", second, "--from", first, *tiny, *triplets, "--resume", "--set", "schedule.learning_rate=1e-9"
    )
    with pytest.raises(TrainingInvalid, match="already contains a run"):
        arcid("train", "--out", second, "--from", first, *tiny)
    (second / "weights.pt").write_bytes(b"other")
    with pytest.raises(TrainingInvalid, match="has changed since the run was started"):
        load_trained(second)


def test_a_run_starts_from_a_pack_and_the_next_one_inherits_its_terms(arcid, people, tmp_path):
    first, second = tmp_path / "runs" / "first", tmp_path / "runs" / "second"
    options = ["--aligned", "--data", people, "--epochs", 1, "--batch-size", 6]
    arcid("train", "--out", first, "--from", "small", *options, "--loss", "cosface")
    config = load_trained(first).config
    assert config.start is not None
    assert (config.start.pack, config.schedule.learning_rate) == ("small", 0.02)
    arcid("train", "--out", second, "--from", first, *options, "--loss", "triplet", "--set", "data.photos_per_person=3")
    terms = inherited_terms(load_trained(second).config)
    assert terms is not None
    assert (terms.licence, terms.commercial_use, terms.detector) == ("for research", "no", "yunet")
    with pytest.raises(PackUnknown):
        arcid("train", "--out", tmp_path / "third", "--from", "nothing", *options)


@pytest.mark.parametrize(
    "command", [("adapter", "--data", "."), ("finetune", "--data", "."), ("export", "."), ("distill", "--photos", ".")]
)
def test_without_pytorch_the_remedy_is_said(command, arcid, monkeypatch, tmp_path):
    monkeypatch.setattr("app.cli.train.find_spec", lambda _: None)
    with pytest.raises(TrainingUnavailable, match="make training"):
        arcid("train", *command, "--out", tmp_path / "out")
