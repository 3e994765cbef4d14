"""Folders of live people and of attacks, and the scores of their photos."""

import numpy as np
import pytest

from app.errors import EvaluationInvalid, NoFace
from app.evaluation.liveness.presentations import SIMULATED_FILE, read_attacks, read_live, score_photos


@pytest.fixture
def folder(tmp_path):
    for name in ("live/ann/1.jpg", "live/ann/2.jpg", "attacks/print/ann/1.jpg", "attacks/screen/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_kinds_of_attack_are_folders(folder):
    prints, screens = read_attacks(folder / "attacks")
    assert [(each.name, each.photos[0].person) for each in (prints, screens)] == [("print", "ann"), ("screen", "1.jpg")]
    assert [photo.person for photo in read_live(folder / "live").photos] == ["ann", "ann"]


def test_a_file_marks_simulated_photos(folder):
    (folder / "attacks" / "screen" / SIMULATED_FILE).touch()
    assert [each.is_simulated for each in read_attacks(folder / "attacks")] == [False, True]
    (folder / "attacks" / SIMULATED_FILE).touch()
    assert all(each.is_simulated for each in read_attacks(folder / "attacks"))
    assert not read_live(folder / "live").is_simulated


def test_the_mark_counts_for_folders_below_and_above_it(folder):
    """A part of marked folders, or a folder around them, would otherwise pass for photos of a camera."""
    (folder / "attacks" / SIMULATED_FILE).touch()
    assert read_live(folder / "attacks" / "print").is_simulated
    assert read_live(folder / "attacks" / "print" / "ann").is_simulated
    assert read_live(folder).is_simulated
    around = {each.name: each.is_simulated for each in read_attacks(folder)}
    assert around == {"attacks": True, "live": False}


def test_attacks_without_kinds_are_refused(folder):
    with pytest.raises(EvaluationInvalid, match="needs a folder for each kind of attack"):
        read_attacks(folder / "attacks" / "screen")
    with pytest.raises(EvaluationInvalid):
        read_attacks(folder / "missing")


def test_photos_without_a_usable_face_have_no_score(folder):
    def score(data):
        if data.endswith(b"2.jpg"):
            raise NoFace
        return None if b"print" in data else 0.75

    advanced: list[int] = []
    live = score_photos(read_live(folder / "live"), score, threads=2, advance=advanced.append)
    assert live.scores[0] == 0.75
    assert np.isnan(live.scores[1])
    assert live.people == ("ann", "ann")
    assert advanced == [1, 1]
    prints, _ = read_attacks(folder / "attacks")
    assert np.isnan(score_photos(prints, score, threads=1).scores).all()
