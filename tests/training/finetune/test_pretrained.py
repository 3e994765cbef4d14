import hashlib

import numpy as np
import pytest
import torch
from rich.console import Console

from app.errors import TrainingInvalid
from app.training import running
from app.training.checkpoint import load_trained
from app.training.config import parse_config
from app.training.learner import build_learner
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session
from tests.training.finetune.networks import DIMENSION, embedder
from tests.training.people import no_cropper, write_people

NETWORK = embedder(112)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("people"), people=3, photos=4)


@pytest.fixture
def config(people, tmp_path):
    """Return a function: config(frozen=True) is a run of three iterations from the network, with changed keys."""
    file = tmp_path / "start.onnx"
    file.write_bytes(NETWORK)
    start = {
        "network": file,
        "sha256": hashlib.sha256(NETWORK).hexdigest(),
        "pack": "tiny",
        "licence": "for tests",
        "commercial_use": "yes",
        "detector": "yunet",
        "mean": 0.0,
        "scale": 1.0,
    }

    def config(**changed):
        return parse_config(
            {
                "data": {"path": people, "aligned": True},
                "start": start | changed,
                "loss": {"name": "normface"},
                "schedule": {"epochs": 1, "batch_size": 4, "learning_rate": 0.01, "kind": "constant"},
                "optimiser": {"momentum": 0.0, "weight_decay": 0.0, "clip": 0.0},
            }
        )

    return config


def train(config, out):
    return running.train(config, out, open_cropper=no_cropper, console=Console(quiet=True))


def moved(config, out):
    """Return how far each tensor of the backbone moved in the run."""
    before = {name: value.clone() for name, value in build_learner(config, 3).backbone.state_dict().items()}
    after = train(config, out).learner.backbone.state_dict()
    return {name: float((after[name] - before[name]).abs().max()) for name in before}


def test_a_run_begins_with_the_network_of_the_pack(config):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 112, 112)).astype(np.float32)
    (expected,) = Session(NETWORK, Runtime()).run(pixels)
    learner = build_learner(config(), 3).eval()
    with torch.no_grad():
        actual = learner.backbone((torch.from_numpy(pixels) - 127.5) / 128).numpy()
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)
    assert actual.shape[1] == DIMENSION


def test_what_was_trained_is_read_again(config, tmp_path):
    training = train(config(), tmp_path / "run")
    trained = load_trained(tmp_path / "run")
    assert trained.config.start == config().start
    for name, value in training.learner.backbone.state_dict().items():
        assert torch.equal(value, trained.backbone.state_dict()[name])


def test_the_network_goes_as_much_more_slowly_as_it_should(config, tmp_path):
    """One step only: later steps start from different weights."""
    one = {"schedule": config().schedule.model_copy(update={"batch_size": 12})}
    slow, fast = (moved(config(rate=rate).model_copy(update=one), tmp_path / str(rate)) for rate in (0.001, 0.01))
    moving = [name for name in fast if fast[name] > 0]
    assert moving
    assert [slow[name] for name in moving] == pytest.approx([fast[name] / 10 for name in moving], rel=0.1, abs=1e-6)


def test_a_frozen_network_moves_only_at_its_end(config, tmp_path):
    gone = {name for name, far in moved(config(frozen=True), tmp_path / "run").items() if far > 0}
    assert {name.split(".")[2] for name in gone} == {"18", "20"}  # the last Gemm and the BatchNorm after it


def test_another_file_than_at_the_beginning_is_refused(config, tmp_path):
    (tmp_path / "start.onnx").write_bytes(embedder(56))
    with pytest.raises(TrainingInvalid, match="has changed since the run was started"):
        build_learner(config(), 3)
    (tmp_path / "start.onnx").unlink()
    with pytest.raises(TrainingInvalid, match="cannot be read"):
        build_learner(config(), 3)
