"""`arcid calibrate liveness`: thresholds for the camera of a collection, with the real networks."""

import os

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from app.cli import cli
from app.container import Container
from app.errors import CalibrationTooSmall, CollectionUnknown, EvaluationInvalid
from tests.conftest import DATA

PEOPLE = 30
HALF = "0.3"  # people of whom none may have an error to show this rate: 9


@pytest.fixture(scope="module")
def run(settings, packs):
    """run("--live", ...): the output; raises what the command raises."""
    if not packs.has(packs.manifest("minifas-fused")):
        pytest.skip("minifas-fused is not pulled; run: arcid models pull minifas-fused")
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.upper().startswith("ARCID_"):
                patch.delenv(name)
        patch.setenv("ARCID_DATA_DIR", str(settings.data_dir))
        patch.setenv("ARCID_MODELS_DIR", str(DATA))

        def run(*arguments):
            done = CliRunner().invoke(cli, ["calibrate", "liveness", *map(str, arguments)])
            if done.exception is not None and not isinstance(done.exception, SystemExit):
                raise done.exception
            assert done.exit_code == 0, done.output
            return done.output

        yield run


@pytest.fixture(scope="module")
def live(faces_of, tmp_path_factory):
    """Photos of 30 "people": six, each in five brightnesses."""
    folder = tmp_path_factory.mktemp("live")
    for number in range(PEOPLE):
        pixels = cv2.imdecode(np.frombuffer(faces_of[number % len(faces_of)], np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None
        gain = 0.8 + 0.05 * (number // len(faces_of))
        (folder / str(number)).mkdir()
        cv2.imwrite(str(folder / str(number) / "1.png"), np.clip(pixels * gain, 0, 255).astype(np.uint8))
    return folder


@pytest.fixture
def store(settings):
    with Container(settings) as container:
        yield container


def test_the_service_decides_by_the_stored_thresholds(run, live, store):
    collection = store.store.create_collection("door", model="sface-2021dec", dimension=128)
    before = store.liveness_thresholds(collection)
    assert not before.is_calibrated
    output = run("--live", live, "--collection", "door", "--max-bpcer", HALF)
    stored = store.liveness_calibrations.newest(collection)
    assert f"door: calibration 1 of liveness; live from {stored.live_from:.4g}" in output
    assert (stored.bpcer.photos, stored.bpcer.people) == (PEOPLE, PEOPLE)
    assert stored.bpcer.rate <= float(HALF)
    assert set(stored.sha256s) == {"minifas-128.onnx", "minifasnet-v2.onnx", "minifasnet-v1se.onnx"}
    assert stored.detector == store.registry.detector_of(collection)
    after = store.liveness_thresholds(collection)
    assert (after.live_from, after.origin) == (stored.live_from, "door/1")
    assert store.liveness_gate.thresholds(collection) == after
    assert store.liveness_thresholds(None) == before


def test_an_evaluation_uses_the_stored_thresholds(run, live, store, tmp_path):
    collection = store.store.create_collection("gate", model="sface-2021dec", dimension=128)
    run("--live", live, "--collection", "gate", "--max-bpcer", HALF)
    (tmp_path / "print").symlink_to(live)
    words = ["evaluate", "liveness", "--live", live, "--attacks", tmp_path, "--bootstrap", 2, "--collection", "gate"]
    done = CliRunner().invoke(cli, list(map(str, words)))
    assert done.exit_code == 0, done.output
    assert "of the calibration gate/1" in done.output
    stored = store.liveness_calibrations.newest(collection)
    assert f"live from {stored.live_from:.4g}" in done.output
    assert f"BPCER {stored.bpcer.rate:.1%}" in done.output


def test_what_shows_no_rate_is_refused(run, live, store):
    with pytest.raises(EvaluationInvalid, match="--max-bpcer, --max-apcer or both"):
        run("--live", live, "--collection", "default")
    with pytest.raises(CalibrationTooSmall, match=r"30 people .* needs 59 people"):
        run("--live", live, "--collection", "default", "--max-bpcer", 0.05)
    with pytest.raises(EvaluationInvalid, match="needs photos of attacks"):
        run("--live", live, "--collection", "default", "--max-apcer", HALF)
    with pytest.raises(CollectionUnknown):
        run("--live", live, "--collection", "nowhere", "--max-bpcer", HALF)
    assert store.liveness_calibrations.newest(store.store.collection("default")) is None
