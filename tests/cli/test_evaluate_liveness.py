"""`arcid evaluate liveness`, end to end with the real networks."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from presentation_attacks import AttackKind, attack

from app.errors import EvaluationInvalid, NetworkMissing
from app.evaluation.liveness.presentations import SIMULATED_FILE
from tests.conftest import DATA

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def evaluate(arcid, packs, monkeypatch):
    """evaluate("--live", ...): the output; raises what the command raises."""
    if not all(packs.has(each) for each in [*packs.required_by("open"), packs.manifest("minifas-fused")]):
        pytest.skip("minifas-fused or open is not pulled; run: arcid models pull open minifas-fused")
    monkeypatch.setenv("ARCID_MODELS_DIR", str(DATA))

    def run(*arguments):
        done = arcid("evaluate", "liveness", *map(str, arguments))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


@pytest.fixture
def photos(faces_of, faceless, tmp_path):
    """Six live people, one of them also on a photo without a face, and a simulated print of each."""
    kind = tmp_path / "attacks" / "print"
    kind.mkdir(parents=True)
    (tmp_path / "attacks" / SIMULATED_FILE).touch()
    for number, photo in enumerate(faces_of):
        (tmp_path / "live" / str(number)).mkdir(parents=True)
        (tmp_path / "live" / str(number) / "1.jpg").write_bytes(photo)
        pixels = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None
        made = attack(pixels[:, :, ::-1].astype(np.uint8), AttackKind.PRINT, np.random.default_rng(number))
        cv2.imwrite(str(kind / f"{number}.png"), made[:, :, ::-1])
    (tmp_path / "live" / "0" / "2.png").write_bytes(faceless)
    return tmp_path


def test_simulated_attacks_get_their_own_table(evaluate, photos):
    output = evaluate("--live", photos / "live", "--attacks", photos / "attacks", "--bootstrap", 20)
    assert output.startswith("Simulated attacks; live from 0.5, attack below 0.2; uncalibrated")
    assert "do not measure security" in output
    assert "Real attacks" not in output
    assert "too few photos" in output


def test_the_report_and_the_page_are_written(evaluate, photos):
    (photos / "attacks" / SIMULATED_FILE).unlink()
    words = ["--live", photos / "live", "--attacks", photos / "attacks", "--max-bpcer", 0.2, "--bootstrap", 20]
    printed = json.loads(evaluate(*words, "--out", photos / "out", "--json"))
    assert printed == json.loads((photos / "out" / "report.json").read_text())
    assert printed["simulated"] is None
    real = printed["real"]
    assert real["thresholds"]["origin"] == "these photos"
    assert real["live"]["bpnrr"]["errors"] == 1
    assert real["live"]["bpcer"]["photos"] == sum(real["live"]["verdicts"][each] for each in ("live", "attack"))
    assert real["attacks"]["print"]["apcer"]["rate"] is None
    assert real["attacks"]["print"]["apcer"]["at_most"] > 0.3
    assert set(printed["setup"]["sha256"]) >= {"minifas-128.onnx", "minifasnet-v2.onnx"}
    assert "<h2>Real attacks</h2>" in (photos / "out" / "report.html").read_text()


def test_what_cannot_be_evaluated_is_refused(evaluate, photos, monkeypatch):
    words = ["--live", photos / "live", "--attacks"]
    with pytest.raises(EvaluationInvalid, match="between 0 and 1"):
        evaluate(*words, photos / "attacks", "--max-apcer", 2)
    with pytest.raises(EvaluationInvalid, match="a folder for each kind"):
        evaluate(*words, photos / "attacks" / "print")
    monkeypatch.setenv("ARCID_MODELS_DIR", str(photos / "empty"))
    with pytest.raises(NetworkMissing, match="arcid models pull minifas-fused"):
        evaluate(*words, photos / "attacks")


def test_sample_photos_of_the_publisher_of_minifasnet(evaluate, tmp_path):
    """One live person and two attacks: three photos prove that the command works, and no rate."""
    samples = PROJECT.parent / "shared" / "pad"
    if not samples.is_dir():
        pytest.skip("../shared/pad is only on the project's own machines")
    for name, kind in (("image_T1", "live"), ("image_F1", "attacks/one"), ("image_F2", "attacks/two")):
        (tmp_path / kind).mkdir(parents=True)
        shutil.copy(samples / f"{name}.jpg", tmp_path / kind)
    words = ["--live", tmp_path / "live", "--attacks", tmp_path / "attacks", "--json", "--bootstrap", 2]
    real = json.loads(evaluate(*words))["real"]
    assert real["live"]["verdicts"]["live"] == 1
    assert [each["verdicts"]["attack"] for each in real["attacks"].values()] == [1, 1]
    assert real["worst"] is None
