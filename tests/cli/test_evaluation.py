"""`arcid evaluate overlap` and `arcid evaluate ijb` with the real networks."""

import csv
import json

import cv2
import numpy as np
import pytest

from app.errors import EvaluationInvalid
from tests.conftest import DATA

NAMES = ["Ada", "Bob", "Cy", "Dee", "Eve", "Flo"]


@pytest.fixture
def evaluate(arcid, packs, monkeypatch):
    """evaluate("overlap", ...): the output; raises what the command raises."""
    if not all(packs.has(each) for each in packs.required_by("open")):
        pytest.skip("the pack open is not pulled; run: arcid models pull open")
    monkeypatch.setenv("ARCID_MODELS_DIR", str(DATA))

    def run(*arguments):
        done = arcid("evaluate", *map(str, arguments))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output

    return run


def mirrored(photo):
    pixels = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return cv2.imencode(".jpg", pixels[:, ::-1])[1].tobytes()


def test_people_in_two_folders_are_named(evaluate, faces_of, faceless, tmp_path):
    """Ada is in both, Bob under another name, Cy with the same file; a photo without a face is in both, too."""
    for person, photo in zip(NAMES[:4], faces_of, strict=False):
        (tmp_path / "train" / person).mkdir(parents=True)
        (tmp_path / "train" / person / "1.jpg").write_bytes(photo)
    (tmp_path / "train" / "Dee" / "2.png").write_bytes(faceless)
    others = {"Ada": mirrored(faces_of[0]), "x17": mirrored(faces_of[1]), "Cy": faces_of[2], "Eve": faces_of[4]}
    for person, photo in others.items():
        (tmp_path / "test" / person).mkdir(parents=True)
        (tmp_path / "test" / person / "9.jpg").write_bytes(photo)
    (tmp_path / "test" / "Eve" / "10.png").write_bytes(faceless)
    out = tmp_path / "out"
    output = evaluate("overlap", tmp_path / "train", tmp_path / "test", "--out", out, "--max-fmr", "1e-4")
    assert "4 people are in both, 2 of them under another name" in output
    rows = list(csv.DictReader((out / "overlap.csv").read_text().splitlines()))
    assert {(row["first"], row["second"], row["duplicates"]) for row in rows} == {
        ("Ada", "Ada", "0"),
        ("Bob", "x17", "0"),
        ("Cy", "Cy", "1"),
        ("Dee", "Eve", "1"),
    }
    report = json.loads((out / "overlap.json").read_text())
    assert (report["comparisons"], report["photos"]) == (16, [5, 5])
    assert report["expected_false_pairs"] == pytest.approx(0.0016)
    assert len((out / "exclude.txt").read_text().splitlines()) == 5
    flat = tmp_path / "test" / "Eve"
    assert "1 person is in both" in evaluate("overlap", tmp_path / "train", flat, "--out", out, "--threshold", "0.5")
    assert "--out FOLDER writes all of them" in evaluate("overlap", tmp_path / "train", flat)
    with pytest.raises(EvaluationInvalid, match="between 0 and 1"):
        evaluate("overlap", tmp_path / "train", flat, "--out", out, "--max-fmr", "2")


def test_templates_of_ijb(evaluate, faces_of, tmp_path):
    """Each person has two templates; one photo of a template cannot be decoded."""
    points = "38.3 51.7 73.5 51.5 56.0 71.7 41.5 92.4 70.7 92.2 0.9"
    (tmp_path / "images").mkdir()
    media, landmarks = [], []
    for number, photo in enumerate(faces_of):
        pixels = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None
        for template, view in ((2 * number, pixels), (2 * number + 1, pixels[:, ::-1])):
            name = f"{template}.png"
            (tmp_path / "images" / name).write_bytes(cv2.imencode(".png", cv2.resize(view, (112, 112)))[1].tobytes())
            media.append(f"{name} {template} {100 + template}")
            landmarks.append(f"{name} {points}")
    (tmp_path / "images" / "bad.png").write_bytes(b"damaged")
    media.append("bad.png 0 100")
    landmarks.append(f"bad.png {points}")
    pairs = [f"{one} {other} {int(one // 2 == other // 2)}" for one in range(12) for other in range(one + 1, 12)]
    files = {"face_tid_mid": media, "name_5pts_score": landmarks, "template_pair_label": pairs}
    for name, lines in files.items():
        (tmp_path / f"ijbc_{name}.txt").write_text("\n".join(lines))
    words = ["ijb", "--images", tmp_path / "images", "--lists", tmp_path, "--out", tmp_path / "out"]
    output = evaluate(*words, "--by-norm", "--by-score")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["tar_at_far"]["1e-1"]["note"].startswith("fewer than 10")
    assert report["pairs"] == {"genuine": 6, "impostor": 60, "not_compared": 0}
    assert report["failed_photos"] == [{"file": "bad.png", "reason": "not_an_image"}]
    assert report["auc"] > 0.95
    assert report["people"] == 6
    assert len(report["auc_interval"]) == 2
    assert report["setup"]["weights"] == {"norm": True, "score": True}
    assert "1 of 13 photos without a face" in output
    assert "data:image/svg+xml" in (tmp_path / "out" / "report.html").read_text()
    (tmp_path / "images" / "3.png").unlink()
    with pytest.raises(EvaluationInvalid, match=r"lacks 1 of the photos, for example 3\.png"):
        evaluate(*words)


def test_tracks_of_a_simulated_camera(evaluate, faces_of, faceless, tmp_path):
    for person, photo in zip(NAMES, faces_of, strict=False):
        (tmp_path / "people" / person).mkdir(parents=True)
        (tmp_path / "people" / person / "1.jpg").write_bytes(photo)
    for person, photo in zip(NAMES[:3], faces_of, strict=False):
        (tmp_path / "people" / person / "2.jpg").write_bytes(mirrored(photo))
    (tmp_path / "people" / "nobody").mkdir()
    (tmp_path / "people" / "nobody" / "1.png").write_bytes(faceless)
    out = tmp_path / "out"
    output = evaluate("video", "--images", tmp_path / "people", "--out", out, "--frames", 2, "--bootstrap", 20)
    assert "FNIR at the calibration's 1e-2, track" in output
    report = json.loads((out / "report.json").read_text())
    assert report["kind"] == "video"
    assert report["tracks"]["enrolled_people"] == 3
    assert report["tracks"]["strangers"] == 3
    assert report["tracks"]["frames_a_track"] == 2
    assert report["photos"] == 12
    missed = report["observed_fpir"]["1e-2"]["missed"]
    assert 0 <= missed["track"]["fnir"] <= 1
    assert report["fnir_at_fpir"]["track"]["1e-2"]["fnir"] is None
    assert (out / "report.html").is_file()
