from itertools import pairwise

import numpy as np
import pytest

from app.recognition.analysis import Face
from app.recognition.tracks.looks import LOOKS, evidence_of, looks_reached
from app.recognition.tracks.shots import Shot, best_shots
from app.types import Detection
from app.vision.quality import Measures


def shot(quality: float, seconds: float, turn: float = 0.0) -> Shot:
    found = Detection((0, 0, 9, 9), 0.9, np.zeros((5, 2), np.float32))
    crop = np.zeros((112, 112, 3), np.uint8)
    face = Face(found, np.ones(2, np.float32), 1.0, Measures(50, 0.6, 120, 0, turn), crop, crop)
    return Shot(face, quality, quality, seconds, "network")


def test_few_shots_are_all_kept():
    shots = [shot(0.1, 0), shot(0.9, 1)]
    assert best_shots(shots, 2) == shots


def test_the_worst_of_independent_shots_leaves():
    shots = [shot(0.5, 0), shot(0.3, 20), shot(0.9, 40)]
    assert [each.quality for each in best_shots(shots, 2)] == [0.5, 0.9]


def test_a_copy_leaves_before_a_somewhat_worse_shot_of_another_time():
    shots = [shot(0.9, 0), shot(0.8, 0.01), shot(0.6, 20)]
    assert [each.quality for each in best_shots(shots, 2)] == [0.9, 0.6]


def test_a_copy_leaves_before_a_somewhat_worse_shot_of_another_pose():
    shots = [shot(0.9, 0), shot(0.8, 0.01), shot(0.6, 0.01, turn=1.0)]
    assert [each.quality for each in best_shots(shots, 2)] == [0.9, 0.6]


def test_of_equal_copies_one_stays():
    assert len(best_shots([shot(0.5, 0)] * 3, 1)) == 1


def test_kept_shots_have_no_pixels():
    kept = shot(0.5, 0).kept()
    assert (kept.face.crop, kept.face.portrait) == (None, None)
    assert kept.face.vector is not None


def test_each_look_needs_twice_the_evidence():
    assert [later / earlier for earlier, later in pairwise(LOOKS)] == [2, 2]
    assert [looks_reached(evidence) for evidence in (0, 0.9, 1, 3.9, 100)] == [0, 0, 1, 2, 3]
    assert evidence_of([0.5, 0.25]) == pytest.approx(0.75)
