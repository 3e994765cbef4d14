import json

import numpy as np
import pytest
import torch
from rich.console import Console

from app.errors import CheckpointMismatch, TrainingInvalid
from app.training import running
from app.training.checkpoint import load_trained
from app.training.config import DataConfig, parse_config
from app.training.data.folder import read_folder
from app.training.distillation.loss import DistillationLoss
from app.training.distillation.projection import fit_projection
from app.training.distillation.teaching import Teacher
from app.training.distillation.unlabelled import open_unlabelled
from app.training.evaluating import embed
from app.training.finetune.pretrained import project
from tests.training.people import crops_of, no_cropper, write_people

DIMENSION = 16


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("people"), people=3, photos=4)


class CountingTeacher:
    """Embeds a crop as the means of 16 of its rows; counts the crops."""

    def __init__(self):
        self.crops = 0

    def __call__(self, crops):
        self.crops += len(crops)
        vectors = crops[:, :: 112 // DIMENSION].mean(axis=(2, 3))[:, :DIMENSION].astype(np.float32)
        vectors -= vectors.mean(axis=1, keepdims=True)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def config(people, tmp_path, **changed):
    start = {
        "network": tmp_path / "teacher.onnx",
        "sha256": "0" * 64,
        "pack": "tiny",
        "licence": "for tests",
        "commercial_use": "yes",
        "detector": "yunet",
        "mean": 0.0,
        "scale": 1.0,
        "dimension": DIMENSION,
    }
    values = {
        "data": {"path": people, "aligned": True},
        "backbone": {"name": "mobilefacenet", "width": 0.125, "dimension": DIMENSION},
        "teacher": start,
        "schedule": {"epochs": 2, "batch_size": 4, "learning_rate": 0.05},
        "keeping": {"save_every": 1, "log_every": 1},
    }
    return parse_config(values | changed)


def train(config, out, **options):
    def teach(_teacher, source, advance):
        return Teacher(CountingTeacher(), DIMENSION, out.parent / "cache").embed(source, advance)

    console = Console(quiet=True)
    return running.train(config, out, open_cropper=no_cropper, console=console, teach=teach, **options)


def test_a_perfect_student_has_no_loss_and_others_are_worse():
    targets = torch.nn.functional.normalize(torch.randn(6, 4, generator=torch.Generator().manual_seed(0)))
    loss = DistillationLoss(relation=10.0)
    loss.set_targets(targets)
    labels = torch.tensor([5, 1, 3])
    assert float(loss(targets[labels] * 7, labels)) == pytest.approx(0, abs=1e-6)
    assert float(loss(targets[[1, 5, 3]], labels)) > 0.1
    loss.set_targets(torch.ones(2, 5))
    with pytest.raises(TrainingInvalid, match=r"have 5 numbers.*teacher\.cosine"):
        loss(targets[:2], torch.tensor([0, 1]))


def test_the_relational_term_compares_pairs_of_photos():
    targets = torch.eye(3)
    plain, relational = (DistillationLoss(relation=weight) for weight in (0.0, 6.0))
    for loss in (plain, relational):
        loss.set_targets(targets)
    same = torch.ones(2, 3)  # similarity 1 instead of 0
    labels = torch.tensor([0, 1])
    assert float(relational(same, labels) - plain(same, labels)) == pytest.approx(6)


def test_the_relational_term_alone_leaves_the_student_its_dimension(people, tmp_path):
    loss = DistillationLoss(cosine=0.0, relation=2.0)
    loss.set_targets(torch.eye(3))
    turned = torch.tensor([[0.0, 0.0, 0.0, 5.0, 0.0], [0.0, 2.0, 0.0, 0.0, 0.0]])
    assert float(loss(turned, torch.tensor([0, 1]))) == 0
    assert float(loss(torch.ones(2, 5), torch.tensor([0, 1]))) == pytest.approx(2)
    teacher = config(people, tmp_path).teacher.model_dump() | {"cosine": 0}
    narrow = {"name": "mobilefacenet", "width": 0.125, "dimension": DIMENSION // 2}
    trained = train(config(people, tmp_path, teacher=teacher, backbone=narrow), tmp_path / "run")
    embeddings = embed(trained.learner.backbone, np.stack(crops_of(0, 1)), is_flip_averaged=False)
    assert embeddings.shape == (1, DIMENSION // 2)
    with pytest.raises(TrainingInvalid, match="both 0"):
        config(people, tmp_path, teacher=teacher | {"relation": 0})


def test_embeddings_of_the_teacher_are_cached_by_the_pixels_of_crops(people, tmp_path):
    source, teacher = read_folder(people, None), CountingTeacher()
    first = Teacher(teacher, DIMENSION, tmp_path / "cache").embed(source)
    assert teacher.crops == 12
    (damaged, *_) = sorted((tmp_path / "cache").rglob("*.f32"))
    damaged.write_bytes(b"cut")
    again = Teacher(teacher, DIMENSION, tmp_path / "cache").embed(source)
    assert teacher.crops == 13
    np.testing.assert_array_equal(first, again)


def test_names_are_not_needed(people, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for index, path in enumerate(sorted(people.rglob("*.png"))):
        (flat / f"{index:02d}.png").write_bytes(path.read_bytes())
    for folder in (flat, people):
        source = open_unlabelled(DataConfig(path=folder, aligned=True), no_cropper).source
        assert (source.classes, source.labels.tolist()) == ((), list(range(12)))
        np.testing.assert_array_equal(source.crop(1), crops_of(0, 4)[1])
    (tmp_path / "none").mkdir()
    with pytest.raises(TrainingInvalid, match="no photos"):
        open_unlabelled(DataConfig(path=tmp_path / "none", aligned=True), no_cropper)


def test_a_student_comes_closer_to_its_teacher(people, tmp_path):
    run = config(people, tmp_path, schedule={"epochs": 15, "batch_size": 12, "learning_rate": 0.05, "kind": "constant"})
    train(run, tmp_path / "run")
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    assert np.mean(losses[-3:]) < 0.7 * losses[0]


def test_the_layer_behind_a_start_is_fitted_to_the_teacher(people):
    """Features that are the teacher's embeddings in another order need a permutation."""
    source = read_folder(people, None)

    class Rows(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))

        def forward(self, batch):
            rows = batch[:, :, :: 112 // DIMENSION].mean(dim=(1, 3))[:, :DIMENSION]
            return self.scale * (rows - rows.mean(dim=1, keepdim=True)).flip(1)

    targets = CountingTeacher()(np.stack([source.crop(index) for index in range(12)]))
    backbone = project(Rows(), DIMENSION, DIMENSION)
    fit_projection(backbone, source, targets)  # without a new layer, nothing changes
    backbone = torch.nn.Sequential(backbone, torch.nn.Linear(DIMENSION, DIMENSION, bias=False))
    fit_projection(backbone, source, targets)
    fitted = embed(backbone, np.stack([source.crop(index) for index in range(12)]))
    cosines = (fitted * targets).sum(axis=1) / np.linalg.norm(fitted, axis=1)
    assert cosines.min() > 0.99


def test_a_stopped_student_ends_with_the_same_weights(people, tmp_path):
    run = config(people, tmp_path)
    whole = train(run, tmp_path / "whole")
    calls = iter([False, True])
    train(run, tmp_path / "parts", is_stopping=lambda: next(calls))
    train(run, tmp_path / "parts", is_resumed=True)
    trained = load_trained(tmp_path / "parts").backbone.state_dict()
    for name, weights in whole.learner.backbone.state_dict().items():
        assert torch.equal(weights, trained[name])


def test_another_teacher_is_another_run(people, tmp_path):
    run = config(people, tmp_path)
    train(run, tmp_path / "run")
    other = run.model_copy(update={"teacher": run.teacher.model_copy(update={"sha256": "1" * 64})})
    with pytest.raises(CheckpointMismatch, match=r"teacher\.sha256"):
        train(other, tmp_path / "run", is_resumed=True)
