"""Frames against tracks on made-up embeddings."""

import numpy as np
import pytest

from app.errors import EvaluationInvalid
from app.evaluation.values import Photo, normalise
from app.evaluation.video.evaluation import FilmedPeople, compare
from app.evaluation.video.searches import frame_probes, look_probes, search_probes
from app.evaluation.video.track_set import cast_photos
from app.recognition.decisions.calibration.error_rates import Calibration
from app.recognition.decisions.policy import Policy
from tests.evaluation.fakes import embedded
from tests.recognition.fakes import calibration

FRAMES, DIMENSION = 10, 24
CALIBRATION: Calibration = calibration(start=0.4)
POLICY = Policy(CALIBRATION, 0.0, probe_quality=0.2)


def people_with_frames(*, enrolled=60, strangers=60, noise=0.5, seed=0):
    """Return frames of people, and who they are; frames scatter around their person."""
    generator = np.random.default_rng(seed)
    persons = generator.normal(size=(enrolled + strangers, DIMENSION))
    frames = np.repeat(persons, FRAMES, 0) + noise * generator.normal(size=(len(persons) * FRAMES, DIMENSION))
    photos = embedded([*frames], np.repeat(np.arange(len(persons)), FRAMES))
    gallery = normalise(persons[:enrolled].astype(np.float32)).astype(np.float32)
    mates = np.where(np.arange(len(persons)) < enrolled, np.arange(len(persons)), -1)
    return photos, FilmedPeople(gallery, np.arange(len(persons)), mates)


def test_tracks_miss_fewer_people_than_frames():
    photos, people = people_with_frames(noise=0.8)
    result = compare(photos, FRAMES, people, POLICY, replicates=20)
    values = {name: each.value for name, each in result.estimates.items()}
    assert 0 < values["frame_fnir@1e-1"] < 1
    assert values["track_fnir@1e-1"] < values["frame_fnir@1e-1"] / 2
    assert values["ratio@1e-1"] == values["track_fnir@1e-1"] / values["frame_fnir@1e-1"]
    low, high = result.estimates["frame_fnir@1e-1"].interval or (1, 0)
    assert low <= values["frame_fnir@1e-1"] <= high
    assert result.lost_tracks == 0


def test_rates_by_hand():
    """One enrolled person on the first axis, filmed once well and once badly; a stranger who resembles them once."""
    frames = [[1, 0, 0], [0, 1, 0], [0.95, 0.3, 0], [0, 0, 1]]
    people = FilmedPeople(np.eye(3, dtype=np.float32)[:1], np.array([0, 1]), np.array([0, -1]))
    result = compare(embedded(frames, "aabb"), 2, people, POLICY, replicates=0)
    values = {name: each.value for name, each in result.estimates.items()}
    assert values["frame_fpir@1e-2"] == pytest.approx(1 / 4)
    assert values["any_frame_fpir@1e-2"] == pytest.approx(1 / 2)
    assert values["frame_missed@1e-2"] == pytest.approx(1 / 2)


def test_every_decision_counts():
    photos, _ = people_with_frames(noise=0.2)
    probes, is_last = look_probes(photos, FRAMES, POLICY)
    counts = np.bincount(probes.tracks)
    assert counts.max() == counts.min() == 4  # ten frames of quality 0.5: after two, four, eight, and at the end
    assert is_last.sum() == 120
    assert (probes.independent >= 1).all()
    assert (probes.independent[is_last] < FRAMES).all()


def test_a_look_has_a_stricter_threshold_than_a_frame():
    photos, people = people_with_frames(noise=0.01)
    frames = search_probes(frame_probes(photos, FRAMES, POLICY), people.gallery, people.mates, POLICY)
    looks = search_probes(look_probes(photos, FRAMES, POLICY)[0], people.gallery, people.mates, POLICY)
    assert (looks.thresholds[:, :1] > frames.thresholds[:, :1]).all()
    assert frames.thresholds[1, 0] > frames.thresholds[0, 0]


def test_lost_faces_are_misses_and_faces_of_low_quality_cannot_match():
    frames = [None, [1, 0], [1, 0], [1, 0], None, None]
    photos = embedded(frames, "aabbcc", quality=[0, 0.5, 0.1, 0.1, 0, 0])
    people = FilmedPeople(np.eye(2, dtype=np.float32)[[0, 0, 1]], np.arange(3), np.array([0, 1, 2]))
    people = FilmedPeople(np.array([[1, 0], [0.9, 0.1], [0, 1]], np.float32), people.people, people.mates)
    result = compare(photos, 2, people, POLICY, replicates=0)
    values = {name: each.value for name, each in result.estimates.items()}
    assert values["frame_missed@1e-1"] == pytest.approx(5 / 6)
    assert values["track_missed@1e-1"] == pytest.approx(2 / 3)
    assert values["track_fnir@1e-1"] == pytest.approx(2 / 3)
    assert result.lost_tracks == 1


def test_who_is_enrolled_and_filmed():
    photos = [
        Photo(f"{person}/{number}.jpg", b"", person)
        for person, count in zip("abcd", (2, 1, 3, 1), strict=True)
        for number in range(count)
    ]
    cast = cast_photos(photos, 10)
    assert [each.name for each in cast.photos] == ["a/0.jpg", "c/0.jpg", "a/1.jpg", "c/1.jpg", "b/0.jpg", "d/0.jpg"]
    assert [each.name for each in cast_photos(photos, 1).photos] == ["a/0.jpg", "a/1.jpg", "b/0.jpg"]
    with pytest.raises(EvaluationInvalid, match="two photos"):
        cast_photos(photos[2:3], 10)
