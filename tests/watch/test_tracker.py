import numpy as np
import pytest

from app.types import Detection
from app.watch.tracker import Tracker, box_overlap, is_near
from tests.watch.scenes import SIDE, detection


def started(*lefts: float, seconds: float = 0.0) -> Tracker:
    tracker = Tracker()
    for left in lefts:
        tracker.start(detection(left), seconds)
    return tracker


def test_a_face_continues_the_track_that_it_overlaps():
    tracker = started(0, 200)
    found = tracker.associate([detection(205), detection(4)], 0.2)
    assert {key: each.box[0] for key, each in found.continued.items()} == {0: 4, 1: 205}
    assert (found.new, found.ended) == ([], [])


def test_a_face_elsewhere_is_new():
    found = started(0).associate([detection(300)], 0.2)
    assert ([each.box[0] for each in found.new], found.continued) == ([300], {})


@pytest.mark.parametrize("order", [1, -1])
def test_the_largest_overlap_comes_first(order):
    faces = [detection(5), detection(15)][::order]
    found = started(6).associate(faces, 0.2)
    assert found.continued[0].box[0] == 5
    assert [each.box[0] for each in found.new] == [15]


def test_an_uncertain_detection_continues_a_track_and_starts_none():
    found = started(0).associate([detection(2, score=0.4), detection(300, score=0.4)], 0.2, certain=0.6)
    assert found.continued[0].score == 0.4
    assert found.new == []


def test_a_certain_detection_comes_before_an_uncertain_one():
    found = started(0).associate([detection(0, score=0.4), detection(8, score=0.9)], 0.2, certain=0.6)
    assert found.continued[0].box[0] == 8


def test_a_moving_face_is_expected_where_it_goes():
    tracker = started(0)
    tracker.associate([detection(20)], 0.2)
    tracker.associate([detection(40)], 0.4)
    found = tracker.associate([detection(100)], 1.0)  # three steps later; the last box does not overlap it
    assert found.continued[0].box[0] == 100


def test_people_who_pass_each_other_keep_their_tracks():
    tracker = started(0, 200)
    for step in range(1, 21):
        left, right = detection(10 * step), detection(200 - 10 * step, 6)
        found = tracker.associate([right, left], step / 5)
        assert [found.continued[key].box[0] for key in (0, 1)] == [10 * step, 200 - 10 * step]


def test_a_track_ends_after_its_patience():
    tracker = started(0)
    assert tracker.associate([], 1.9).ended == []
    assert [each.key for each in tracker.associate([], 2.1).ended] == [0]
    assert tracker.associate([detection(0)], 2.2).continued == {}


def test_keys_are_not_used_again():
    tracker = started(0)
    assert [each.key for each in tracker.end()] == [0]
    assert tracker.start(detection(0), 5.0) == 1


def test_a_released_track_is_idle():
    tracker = started(0, 200)
    tracker.associate([detection(0), detection(200)], 0.2)
    tracker.release(0, 0.2)
    assert [each.key for each in tracker.idle(0.2)] == [0]
    tracker.resume(0, detection(300), 0.4)
    assert [each.key for each in tracker.idle(0.4)] == [1]


def test_a_rest_keeps_the_tracks_with_a_face():
    tracker = started(0)
    tracker.start(detection(200), 1.0)
    tracker.rest(1.0, 2.5)
    assert [each.key for each in tracker.associate([detection(200)], 2.6).ended] == [0]


@pytest.mark.parametrize(("left", "side", "expected"), [(50, SIDE, True), (90, SIDE, False), (0, 2 * SIDE, False)])
def test_near_is_a_matter_of_distance_and_size(left, side, expected):
    tracker = started(0)
    assert is_near(tracker.tracks[0], detection(left, side=side), 0.5) is expected


def test_overlap():
    assert box_overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert box_overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert box_overlap((0, 0, 10, 10), (10, 0, 20, 10)) == 0


def test_a_crowd_in_random_walk_keeps_its_tracks():
    generator = np.random.default_rng(0)
    places = np.stack(np.meshgrid(np.arange(5) * 120.0, np.arange(4) * 120.0), -1).reshape(-1, 2)
    tracker = Tracker()
    keys = [tracker.start(_face(place), 0.0) for place in places]
    for step in range(1, 60):
        places += generator.normal(0, 5, places.shape).clip(-12, 12) - 0.1 * (places - places.round(-1))
        faces = [_face(place) for place in places]
        seen = generator.random(len(faces)) < 0.9
        found = tracker.associate([face for face, is_seen in zip(faces, seen, strict=True) if is_seen], step / 5)
        right = {key: face for key, face, is_seen in zip(keys, faces, seen, strict=True) if is_seen}
        assert all(right[key] is face for key, face in found.continued.items() if key in right)


def _face(place: np.ndarray) -> Detection:
    return detection(float(place[0]), float(place[1]))
