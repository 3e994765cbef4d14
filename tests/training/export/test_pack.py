import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from app.errors import TrainingInvalid
from app.recognition.decisions.calibration.error_rates import CalibrationOrigin, read_calibration
from app.recognition.decisions.calibration.fit import calibrate
from app.training.export.pack import FMR, UNCALIBRATED, PackMetadata, dimension_of, model_name, write_network_pack
from app.vision.embedding import Preprocessing
from app.vision.inference.packs import Packs
from tests.vision.inference.releases import tiny_network

NETWORK = tiny_network(8)
SHA256 = hashlib.sha256(NETWORK).hexdigest()
METADATA = PackMetadata('Ours, "the best"\nof all', "ours", "yunet+retinaface", notes="trained on ÄÖ")
PREPROCESSING = Preprocessing(127.5, 128)


@pytest.fixture(scope="module")
def calibration():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(460, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    origin = CalibrationOrigin(SHA256, "ours", "yunet+retinaface", True, 0, 0, 0, "drawn")  # noqa: FBT003 - as its file has it
    return calibrate(vectors, [str(each) for each in range(460)], origin, norms=np.ones(460, np.float32))


def test_a_pack_is_added_with_its_metadata(tmp_path, calibration):
    folder = tmp_path / "our.own-1"
    plain = replace(calibration, origin=replace(calibration.origin, is_flip_averaged=False))
    written = write_network_pack(
        NETWORK, folder, METADATA, preprocessing=PREPROCESSING, calibrations=[calibration, plain]
    )
    packs = Packs(tmp_path / "shipped", tmp_path / "models")
    added = packs.add(folder)
    assert added == written
    assert (added.title, added.licence, added.notes) == (METADATA.title, "ours", METADATA.notes)
    assert (added.commercial_use, added.default_detector) == ("unverified", "yunet+retinaface")
    section = added.embedder
    assert section is not None
    assert section.model == f"our.own-1-{SHA256[:8]}" == model_name("our.own-1", NETWORK)
    assert (section.dimension, section.color, section.mean, section.scale) == (8, "rgb", 127.5, 128)
    assert section.threshold == pytest.approx(calibration.threshold(FMR), abs=1e-4)
    assert packs.verified(added, "our.own-1.onnx").read_bytes() == NETWORK
    assert packs.source_sha256(added, "our.own-1.onnx") == SHA256
    there = packs.calibrations_of(added)
    assert there is not None
    assert {path.name: read_calibration(path) for path in there.iterdir()} == {
        f"{SHA256[:16]}-yunet+retinaface-arcface112-flip.json": calibration,
        f"{SHA256[:16]}-yunet+retinaface-arcface112-plain.json": plain,
    }


def test_without_a_calibration_the_given_threshold_is_used(tmp_path):
    bgr = Preprocessing(0, 1, is_bgr=True)
    for name, threshold, expected in (("one", None, UNCALIBRATED), ("two", 0.25, 0.25)):
        section = write_network_pack(
            NETWORK, tmp_path / name, METADATA, preprocessing=bgr, threshold=threshold
        ).embedder
        assert section is not None
        assert (section.threshold, section.color, section.scale) == (expected, "bgr", 1)
        assert not (tmp_path / name / "calibrations").exists()


def test_a_calibration_of_another_network_is_refused(tmp_path, calibration):
    with pytest.raises(TrainingInvalid, match="belongs to another network"):
        write_network_pack(
            tiny_network(9), tmp_path / "ours", METADATA, preprocessing=PREPROCESSING, calibrations=[calibration]
        )
    assert not (tmp_path / "ours").exists()


@pytest.mark.parametrize("name", ["Ours", "our own", ".ours", "öurs"])
def test_a_name_that_no_pack_can_have(tmp_path, name):
    with pytest.raises(TrainingInvalid, match="is not a valid pack name"):
        write_network_pack(NETWORK, tmp_path / name, METADATA, preprocessing=PREPROCESSING)


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "thesis.txt").write_text(json.dumps("not saved elsewhere"))
    with pytest.raises(TrainingInvalid, match="is not empty"):
        write_network_pack(NETWORK, tmp_path / "ours", METADATA, preprocessing=PREPROCESSING)


def test_what_is_no_embedder_has_no_dimension():
    assert dimension_of(NETWORK) == 8
    for data in (b"nothing", b""):
        with pytest.raises(TrainingInvalid):
            dimension_of(data)


def test_what_needs_no_pytorch_does_not_load_it():
    modules = ("training.export.pack", "training.finetune.linear_adapter", "training.finetune.graph")
    code = "".join(f"import app.{each}\n" for each in modules)
    subprocess.run([sys.executable, "-c", f"{code}import sys\nassert 'torch' not in sys.modules"], check=True)
