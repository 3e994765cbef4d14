import numpy as np
import pytest
from onnx import helper

from app.config import read_settings
from app.errors import CalibrationTooSmall, TrainingInvalid
from app.vision.embedding import Preprocessing
from app.wiring.training import calibrator
from tests.training.finetune.networks import embedder, made
from tests.training.people import write_people


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("people"), people=5, photos=2)


def measure(people, tmp_path):
    settings = read_settings(data_dir=tmp_path, models_dir=tmp_path)
    return calibrator(settings, people, model=lambda _: "ours", preprocessing=Preprocessing(0, 1), is_aligned=True)


def test_a_network_that_tells_nobody_apart_is_not_calibrated(people, tmp_path):
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Gemm", ["flat", "nothing", "always"], ["embedding"]),
    ]
    constants = {"nothing": np.zeros((3 * 112 * 112, 6), np.float32), "always": np.arange(6, dtype=np.float32)}
    with pytest.raises(TrainingInvalid, match="the same vector for every photo"):
        measure(people, tmp_path)(made(nodes, constants, side=112))


def test_too_few_people_are_said_to_be_too_few(people, tmp_path):
    with pytest.raises(CalibrationTooSmall, match="at least"):
        measure(people, tmp_path)(embedder(112))


def test_without_people_there_is_no_calibration(tmp_path):
    assert measure(None, tmp_path)(b"never looked at") == []
