"""`arcid cluster` with the networks of a real pack."""

import csv
import json

import cv2
import numpy as np
import pytest


@pytest.fixture
def photos(tmp_path, portrait, settings, monkeypatch):
    """A folder with two photos of one person, one without a face, and a damaged one."""
    monkeypatch.setenv("ARCID_MODELS_DIR", str(settings.models_dir))
    folder = tmp_path / "photos"
    (folder / "2024").mkdir(parents=True)
    (folder / "ada.jpg").write_bytes(portrait)
    pixels = cv2.imdecode(np.frombuffer(portrait, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    cv2.imwrite(str(folder / "2024" / "mirror.jpg"), pixels[:, ::-1])
    cv2.imwrite(str(folder / "empty.png"), np.full((64, 64, 3), 90, np.uint8))
    (folder / "broken.jpg").write_bytes(b"no photo")
    return folder


def test_photos_are_sorted_into_a_folder_for_each_person(arcid, photos, tmp_path):
    out = tmp_path / "people"
    done = arcid("cluster", str(photos), "--out", str(out))
    assert done.exit_code == 3  # a photo was refused
    assert "1 person on two photos or more" in done.stdout
    assert "[not_an_image]" in done.stderr
    assert sorted(path.name for path in (out / "person-0001").glob("*.jpg")) == ["ada.jpg", "mirror.jpg"]
    with (out / "faces.csv").open(encoding="utf-8") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    assert (rows["ada.jpg"]["person"], rows["ada.jpg"]["group"]) == ("person-0001", "1")
    assert (rows["empty.png"]["reason"], rows["broken.jpg"]["reason"]) == ("no_face", "not_an_image")

    (photos / "broken.jpg").unlink()
    other = arcid("cluster", str(photos), "--out", str(out), "--json")
    assert other.exit_code == 0
    lines = {line["file"]: line for line in map(json.loads, other.stdout.splitlines())}
    assert [face["group"] for face in lines["2024/mirror.jpg"]["faces"]] == [1]
    assert lines["empty.png"] == {"file": "empty.png", "faces": [], "error": None}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--max-false", "2"], "--max-false is a chance between 0 and 1, such as 1e-4, not 2"),
        (["--merge", "1,2"], "--merge takes two numbers of groups in --out, such as 18,7"),
        (["--merge", "1", "--out", "people"], "--merge takes two numbers of groups in --out, such as 18,7"),
        (["--out", "photos"], "--out is the folder of the photos"),
    ],
)
def test_a_wrong_option_is_explained(arcid, photos, monkeypatch, options, message):
    monkeypatch.chdir(photos.parent)
    assert message in str(arcid("cluster", "photos", *options).exception)


def test_a_folder_without_photos_is_refused(arcid, tmp_path):
    assert "contains no photos" in str(arcid("cluster", str(tmp_path)).exception)
