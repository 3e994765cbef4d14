"""`arcid evaluate` on a small folder, end to end with the real networks."""

import csv
import json
import os
import pickle
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from app.cli import cli
from app.errors import EvaluationInvalid, ReportUnavailable
from tests.conftest import DATA
from tests.evaluation.fakes import random_people

NAMES = ["Ada", "Bob", "Cy", "Dee", "Eve", "Flo"]


def mirrored(photo: bytes) -> bytes:
    pixels = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return cv2.imencode(".jpg", pixels[:, ::-1])[1].tobytes()


@pytest.fixture(scope="module")
def evaluate(packs, tmp_path_factory):
    """evaluate("verification", ...): the report, from one data folder for the module."""
    if not all(packs.has(each) for each in packs.required_by("open")):
        pytest.skip("the pack open is not pulled; run: arcid models pull open")
    home, out = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.upper().startswith("ARCID_"):
                patch.delenv(name)
        patch.setenv("ARCID_DATA_DIR", str(home))
        patch.setenv("ARCID_MODELS_DIR", str(DATA))

        def run(*arguments: str | Path):
            words = [str(each) for each in arguments]
            result = CliRunner().invoke(cli, ["evaluate", *words, "--out", str(out), "--bootstrap", "50"])
            if result.exception is not None:
                raise result.exception
            report = json.loads((out / "report.json").read_text())
            return report, (out / "report.html").read_text(), result.output

        yield run


@pytest.fixture(scope="module")
def people(faces_of, portrait, faceless, tmp_path_factory):
    """Six people with two photos each, one stranger, and a photo of Ada on which there is nobody."""
    folder = tmp_path_factory.mktemp("people")
    for name, photo in zip(NAMES, faces_of, strict=True):
        (folder / name).mkdir()
        (folder / name / f"{name}_0001.jpg").write_bytes(photo)
        (folder / name / f"{name}_0002.jpg").write_bytes(mirrored(photo))
    (folder / "Ada" / "Ada_0003.jpg").write_bytes(faceless)
    (folder / "Gus").mkdir()
    (folder / "Gus" / "Gus_0001.png").write_bytes(portrait)
    return folder


@pytest.fixture(scope="module")
def pairs_file(tmp_path_factory):
    """Two folds of three matched and three mismatched pairs; one cannot be compared."""
    lines = ["2\t3"]
    for fold in (NAMES[:3], NAMES[3:]):
        lines += [f"{name}\t1\t2" for name in fold]
        lines += [f"{one}\t1\t{two}\t2" for one, two in pairwise([*fold, "Gus" if fold[0] == "Dee" else fold[0]])]
    lines = [line.replace("Gus\t2", "Gus\t1").replace("Ada\t1\t2", "Ada\t1\t3") for line in lines]
    path = tmp_path_factory.mktemp("pairs") / "pairs.txt"
    path.write_text("\n".join(lines))
    return path


def test_pairs_of_lfw(evaluate, people, pairs_file, tmp_path):
    saved = tmp_path / "saved.npz"
    report, page, output = evaluate(
        "verification", "--pairs", pairs_file, "--images", people, "--save-embeddings", saved, "--thumbnails"
    )
    assert report["accuracy"] == pytest.approx(11 / 12)
    assert report["accuracy_per_fold"] == pytest.approx([5 / 6, 1])
    assert report["accuracy_std"] == pytest.approx(1 / 12)
    assert report["failures_to_enroll"] == 1
    assert report["failed_photos"] == [{"file": "Ada/Ada_0003.jpg", "reason": "no_face"}]
    assert report["auc"] == pytest.approx(5 / 6)
    assert report["tar_at_far"]["1e-1"]["note"] == "fewer than 10 impostor pairs above"
    assert report["tar_at_far"]["1e-1"]["tar"] is None
    for name in ("accuracy", "eer", "auc", "failures_to_enroll_rate"):
        low, high = report[f"{name}_interval"]
        assert 0 <= low <= high <= 1
    assert report["pairs"] == {"genuine": 6, "impostor": 6, "not_compared": 1, "folds": 2}
    assert report["setup"]["pack"] == "open"
    assert report["setup"]["degraded"] is False
    assert report["error_versus_discard"] == {
        "far": None,
        "threshold": None,
        "points": [],
        "note": "fewer than 10 impostor pairs above",
    }
    assert "accuracy" in output
    assert "1 of 14 photos without a face" in output
    with np.load(saved, allow_pickle=False) as kept:
        assert len(kept["files"]) == 13
        assert kept["failures"].tolist() == ["Ada/Ada_0003.jpg"]
        np.testing.assert_allclose(np.linalg.norm(kept["embeddings"], axis=1), kept["norms"], rtol=1e-5)
        assert (kept["boxes"][:, 2] > kept["boxes"][:, 0]).all()
        assert kept["quality"].shape == (13,)
        assert kept["vectors"].shape == kept["embeddings"].shape
        assert ((kept["quality"] > 0) & (kept["quality"] <= 1)).all()
    assert page.count("data:image/svg+xml") == 3
    assert "data:image/jpeg" in page
    assert "Bob/Bob_0001.jpg" in page
    assert not [part for part in page.split('src="')[1:] if not part.startswith("data:")]


def test_a_csv_without_flip_averaging(evaluate, people, tmp_path):
    rows = [f"{name}/{name}_0001.jpg,{name}/{name}_0002.jpg,1" for name in NAMES]
    rows += [f"{one}/{one}_0001.jpg,{two}/{two}_0002.jpg,0" for one, two in pairwise(NAMES)]
    (tmp_path / "pairs.csv").write_text("\n".join(rows))
    report, page, _ = evaluate("verification", "--csv", tmp_path / "pairs.csv", "--images", people, "--no-flip")
    assert report["setup"]["flip"] is False
    assert report["accuracy"] == 1
    assert report["pairs"]["folds"] == 10
    assert "data:image/jpeg" not in page


def test_pairs_of_one_kind(evaluate, people, tmp_path):
    (tmp_path / "pairs.csv").write_text("\n".join(f"{name}/{name}_0001.jpg,{name}/{name}_0002.jpg,1" for name in NAMES))
    report, page, _ = evaluate("verification", "--csv", tmp_path / "pairs.csv", "--images", people)
    assert report["accuracy"] == 1
    assert (report["eer"], report["auc"], report["eer_interval"]) == (None, None, None)
    assert page.count("data:image/svg+xml") == 3


def test_crops_in_a_bin(evaluate, faces_of, tmp_path):
    crops = []
    for photo in faces_of:
        pixels = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None
        crops.append(cv2.imencode(".png", cv2.resize(pixels, (112, 112)))[1].tobytes())
    entries = [each for crop in crops for each in (crop, mirrored(crop))]
    entries += [each for pair in pairwise(crops) for each in pair]
    labels = [True] * 6 + [False] * 5
    (tmp_path / "set.bin").write_bytes(pickle.dumps((entries, labels), pickle.HIGHEST_PROTOCOL))
    report, _, _ = evaluate("verification", "--bin", tmp_path / "set.bin", "--aligned")
    assert report["setup"]["aligned"] is True
    assert report["setup"]["detector"] is None
    assert report["failures_to_enroll"] == 0
    assert report["accuracy"] > 0.7
    worse, _, _ = evaluate("verification", "--bin", tmp_path / "set.bin", "--aligned", "--degrade")
    assert worse["setup"] == {**report["setup"], "degraded": True}
    assert worse["failures_to_enroll"] == 0
    assert worse["hardest"] != report["hardest"]


def test_every_pair_of_a_folder(evaluate, people):
    report, page, output = evaluate("verification", "--all-pairs", "--images", people)
    assert report["pairs"] == {"genuine": 6, "impostor": 13 * 12 // 2 - 6}
    assert report["accuracy"] is None
    assert report["tar_at_far"]["1e-1"]["note"]
    assert len(report["hardest"]["impostor"]) == 20
    check = report["calibration_check"]["fmr"]
    assert list(check) == ["1e-2", "1e-3", "1e-4"]
    assert check["1e-2"]["comparisons"] == report["pairs"]["impostor"]
    assert check["1e-2"]["missed"] == pytest.approx(2 / 8)  # the photo of Ada on which there is nobody
    assert "FMR at the calibration's 1e-2" in output
    assert page.count("data:image/svg+xml") == 3


def test_identification(evaluate, people):
    report, page, output = evaluate("identification", "--images", people)
    assert report["searches"] == {
        "gallery": 6,
        "mated": 7,
        "non_mated": 1,
        "non_mated_are": "people with one photo",
    }
    assert report["rank"]["1"]["rate"] == pytest.approx(6 / 7)
    assert report["rank"]["5"]["interval"]
    assert report["fnir_at_fpir"]["1e-1"]["note"]
    assert report["rank_1_at_distractors"] == {}
    assert report["calibration_check"]["fpir"]["1e-2"]["comparisons"] == 1
    assert page.count("data:image/svg+xml") == 3
    assert "rank 1" in output


def test_distractors(evaluate, people, tmp_path, portrait, faceless):
    (tmp_path / "strangers" / "deep").mkdir(parents=True)
    (tmp_path / "strangers" / "deep" / "one.png").write_bytes(portrait)
    (tmp_path / "strangers" / "none.png").write_bytes(faceless)
    report, page, _ = evaluate("identification", "--images", people, "--distractors", tmp_path / "strangers")
    assert report["rank_1_at_distractors"]["1"]["rate"] == pytest.approx(12 / 16)  # ordered pairs with a face in both
    assert page.count("data:image/svg+xml") == 4

    np.save(tmp_path / "strangers.npy", random_people(1, 40, dimension=128, lost=0).embeddings)
    report, _, _ = evaluate("identification", "--images", people, "--distractors", tmp_path / "strangers.npy")
    assert list(report["rank_1_at_distractors"]) == ["10", "100", "200"]


def test_what_is_wrong_is_said(evaluate, people, tmp_path):
    out = ("--images", people)
    with pytest.raises(EvaluationInvalid, match="one source"):
        evaluate("verification", *out)
    with pytest.raises(EvaluationInvalid, match="one source"):
        evaluate("verification", "--all-pairs", "--csv", tmp_path / "x.csv", *out)
    with pytest.raises(EvaluationInvalid, match="--images"):
        evaluate("verification", "--all-pairs")
    with pytest.raises(EvaluationInvalid, match="112x112"):
        evaluate("verification", "--all-pairs", "--aligned", *out)
    (tmp_path / "bad.npy").write_bytes(pickle.dumps(random_people))
    with pytest.raises(EvaluationInvalid, match=r"bad\.npy"):
        evaluate("identification", "--distractors", tmp_path / "bad.npy", *out)


def test_degraded_photos_have_embeddings_of_their_own(evaluate, people, tmp_path):
    files = tmp_path / "as_they_are.npz", tmp_path / "worse.npz", tmp_path / "again.npz"
    for file, options in zip(files, ([], ["--degrade"], ["--degrade", "--no-cache"]), strict=True):
        report, _, _ = evaluate("identification", "--images", people, "--save-embeddings", file, *options)
        assert report["setup"]["degraded"] is bool(options)
    as_they_are, worse, again = (dict(np.load(file)) for file in files)
    for name, found in worse.items():
        np.testing.assert_array_equal(found, again[name])
    common = [name for name in as_they_are["files"] if name in worse["files"]]
    quality, lower = (
        np.array([saved["quality"][list(saved["files"]).index(name)] for name in common])
        for saved in (as_they_are, worse)
    )
    assert lower.mean() < quality.mean()


def test_a_photo_that_is_accepted_is_accepted_made_worse(evaluate, faces_of, portrait, tmp_path, monkeypatch):
    for number, photo in enumerate([*faces_of, portrait]):
        (tmp_path / "people" / "Ada").mkdir(parents=True, exist_ok=True)
        (tmp_path / "people" / "Ada" / f"{number}.jpg").write_bytes(photo)
    longest = max(map(len, faces_of))
    assert longest < len(portrait)
    monkeypatch.setenv("ARCID_LIMITS__PHOTO_BYTES", str(longest))
    report, _, _ = evaluate("verification", "--all-pairs", "--images", tmp_path / "people", "--degrade")
    refused = [each["file"] for each in report["failed_photos"] if each["reason"] != "no_face"]
    assert refused == ["Ada/6.jpg"]
    assert report["setup"]["limits"]["photo_bytes"] == longest


@pytest.mark.lfw
def test_rejecting_poor_faces_removes_errors(evaluate, lfw, tmp_path):
    """400 pairs of one person, of people with four or five photos, and all pairs of these; made worse."""
    pairs = 0
    for folder in sorted((lfw / "images").iterdir()):
        photos = sorted(folder.glob("*.jpg"))
        if len(photos) in {4, 5} and pairs < 400:
            pairs += len(photos) * (len(photos) - 1) // 2
            (tmp_path / "people").mkdir(exist_ok=True)
            (tmp_path / "people" / folder.name).symlink_to(folder)
    report, page, output = evaluate("verification", "--all-pairs", "--images", tmp_path / "people", "--degrade")
    curve = report["error_versus_discard"]
    fnmr = {each["discarded"]: each["fnmr"] for each in curve["points"]}
    assert curve["far"] == "1e-3"
    assert fnmr[0] == pytest.approx(1 - report["tar_at_far"]["1e-3"]["tar"])
    assert fnmr[0] > fnmr[0.1] > fnmr[0.3] > fnmr[0.5]
    assert fnmr[0.3] < 0.75 * fnmr[0]
    assert curve["points"][-1]["pairs"] == curve["points"][0]["pairs"] - curve["points"][0]["pairs"] // 2
    assert "FNMR without the worst 50 %" in output
    assert page.count("data:image/svg+xml") == 4


@pytest.mark.lfw
def test_accuracy_agrees_with_an_independent_computation(evaluate, lfw, tmp_path):
    lines = (lfw / "pairs.txt").read_text().splitlines()[1:]
    chosen = [line for start in (0, 300, 600, 900) for line in lines[start : start + 20]]
    (tmp_path / "pairs.txt").write_text("\n".join(["2\t20", *chosen]))
    saved = tmp_path / "saved.npz"
    report, _, _ = evaluate(
        "verification", "--pairs", tmp_path / "pairs.txt", "--images", lfw / "images", "--save-embeddings", saved
    )
    with np.load(saved) as kept:
        vectors = dict(zip(kept["files"].tolist(), kept["vectors"], strict=True))

    def similarity(line: str) -> tuple[float, bool]:
        cells = line.split("\t")
        other = cells[0] if len(cells) == 3 else cells[2]
        one, two = (
            vectors[f"{name}/{name}_{int(number):04d}.jpg"]
            for name, number in ((cells[0], cells[1]), (other, cells[-1]))
        )
        return float(one @ two), len(cells) == 3

    found = [similarity(line) for line in chosen]
    folds = [found[:40], found[40:]]
    accuracies = []
    for mine, rest in (folds, folds[::-1]):
        values = sorted({value for value, _ in rest})
        candidates = [-2, *[(low + high) / 2 for low, high in pairwise(values)], 2]
        right = [sum((value >= at) == same for value, same in rest) for at in candidates]
        threshold = candidates[right.index(max(right))]
        accuracies.append(np.mean([(value >= threshold) == same for value, same in mine]))
    assert report["accuracy"] == pytest.approx(np.mean(accuracies), abs=1e-9)
    assert report["accuracy_std"] == pytest.approx(np.std(accuracies), abs=1e-9)
    assert report["accuracy"] > 0.95


def test_without_matplotlib_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("app.cli.output.find_spec", lambda _name: None)
    monkeypatch.setenv("ARCID_DATA_DIR", str(tmp_path))
    (tmp_path / "people" / "Ada").mkdir(parents=True)
    (tmp_path / "people" / "Ada" / "1.jpg").touch()
    options = ["--all-pairs", "--images", str(tmp_path / "people"), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(cli, ["evaluate", "verification", *options])
    assert isinstance(done.exception, ReportUnavailable)
    assert "make tools" in str(done.exception)


def test_groups_of_people(evaluate, people, tmp_path):
    (tmp_path / "people.csv").write_text(
        "name,sex,age\nAda,f,20\nBob,m,30\nCy,m,40\nDee,f,\nEve,f,60\nFlo,f,70\nHal,m,80\n"
    )
    report, page, output = evaluate(
        "groups", "--images", people, "--csv", tmp_path / "people.csv", "--by", "sex,age,sex+age", "--bands", "age:50"
    )
    assert (report["match"], report["photos_without_row"], report["rows_without_photo"]) == ("folder", 1, 1)
    assert report["calibration"]["people"] == 2835
    assert report["groups"]["sex"] == {
        "groups": {
            "f": {"people": 4, "photos": 9, "failures_to_enroll": 1},
            "m": {"people": 2, "photos": 4, "failures_to_enroll": 0},
        },
        "not_stated": {"people": 0, "photos": 0, "failures_to_enroll": 0},
    }
    assert list(report["groups"]["sex+age"]["groups"]) == ["f, under 50", "f, 50 and over", "m, under 50"]
    assert report["failures_to_enroll"] == 1
    points = [(point["max_fmr"], point["threshold_from"]) for point in report["operating_points"]]
    assert points == [(1e-4, "calibration"), (1e-3, "calibration"), (1e-4, "set"), (1e-3, "set")]
    calibrated, *_, of_set = report["operating_points"]
    assert of_set == {
        "max_fmr": 1e-3,
        "threshold_from": "set",
        "threshold": None,
        "note": "fewer than 10 impostor pairs above",
    }
    by_sex = calibrated["by"]["sex"]
    assert by_sex["groups"]["f"]["fnmr"]["errors"] == 2  # the photo of Ada on which there is nobody
    assert by_sex["groups"]["f"]["fnmr"]["pairs"] == 6
    assert by_sex["groups"]["f"]["fmr"]["note"] == "too few people: fewer than 10"
    assert by_sex["within"]["pairs"] == 4 * 6 + 4 * 1
    assert by_sex["across"]["pairs"] == 4 * 8
    assert [(cell["first"], cell["second"]) for cell in by_sex["matrix"]] == [("f", "f"), ("f", "m"), ("m", "m")]
    assert by_sex["differential"]["fmr"] == {"groups": [], "note": "too few groups: fewer than two have a rate"}
    searches = report["identification"]
    assert searches["gallery"] == 6
    assert searches["by"]["sex"]["f"]["fnir"]["pairs"] == 5  # with the photo of Ada on which there is nobody
    assert searches["by"]["sex"]["f"]["fnir"]["errors"] == 1
    assert searches["by"]["sex"]["m"]["fpir"]["pairs"] == 2
    assert "FNMR at 0.0001, sex: f" in output
    assert "FPIR at 0.01, sex: m" in output
    assert page.count("data:image/svg+xml") == 2 * 2 * 3


def test_groups_that_are_not_valid(evaluate, people, tmp_path):
    (tmp_path / "people.csv").write_text("name,sex\nAda,f\nBob,m\n")
    options = ("groups", "--images", people, "--csv", tmp_path / "people.csv")
    with pytest.raises(EvaluationInvalid, match="no column age"):
        evaluate(*options, "--by", "sex,age")
    with pytest.raises(EvaluationInvalid, match="between 0 and 1"):
        evaluate(*options, "--by", "sex", "--max-fmr", "2")


@pytest.mark.london
def test_groups_of_london_agree_with_an_independent_computation(evaluate, london, tmp_path):
    saved = tmp_path / "saved.npz"
    options = ("--by", "face_gender,face_gender+face_eth", "--max-fmr", "1e-2", "--save-embeddings", saved)
    report, page, _ = evaluate("groups", "--images", london, "--csv", london / "info.csv", *options)
    with (london / "info.csv").open() as file:
        rows = {row["face_id"]: row for row in csv.DictReader(file)}
    with np.load(saved) as kept:
        ids = [Path(name).stem for name in kept["files"]]
        cosines = kept["vectors"] @ kept["vectors"].T
    one, two = np.triu_indices(len(ids), 1)
    is_impostor = np.array(ids)[one] != np.array(ids)[two]
    of_set = report["operating_points"][1]
    assert of_set["threshold_from"] == "set"
    assert (cosines[one, two][is_impostor] >= of_set["threshold"]).mean() == pytest.approx(0.01, rel=0.01)
    sex = np.array([rows[name]["face_gender"] for name in ids])
    both = np.array([rows[name]["face_gender"] + ", " + rows[name]["face_eth"] for name in ids])
    for point in report["operating_points"]:
        is_match = cosines[one, two] >= point["threshold"]
        for grouping, labels in (("face_gender", sex), ("face_gender+face_eth", both)):
            rates = point["by"][grouping]
            is_within = is_impostor & (labels[one] == labels[two])
            assert rates["within"]["pairs"] == is_within.sum()
            assert rates["within"]["errors"] == (is_within & is_match).sum()
            for name, group in rates["groups"].items():
                is_own = is_within & (labels[one] == name)
                assert (group["fmr"]["errors"], group["fmr"]["pairs"]) == ((is_own & is_match).sum(), is_own.sum())
        female, male = (point["by"]["face_gender"]["groups"][name]["fmr"]["rate"] for name in ("female", "male"))
        ratio = point["by"]["face_gender"]["differential"]["fmr"]["worst_over_geometric_mean"]["value"]
        assert ratio == pytest.approx(max(female, male) / np.sqrt(female * male))
    assert report["failures_to_enroll"] == 0
    assert page.count("data:image/svg+xml") == 8
