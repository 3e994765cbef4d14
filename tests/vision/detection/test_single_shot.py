import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.types import Box
from app.vision.detection.detections import Detections
from app.vision.detection.single_shot import Options, SingleShotDetector, merged
from tests.vision.detection.fakes import BrightNetwork, boxes_of, found, photo_with

FACE: Box = (100, 100, 900, 1000)  # fills its photo of 1000 x 1100 pixels


def boxes(faces: Detections) -> list[Box]:
    return boxes_of(faces.to_list())


@pytest.mark.parametrize(
    "part",
    [
        (250, 300, 400, 380),  # an eye
        (400, 750, 650, 850),  # the mouth
        (100, 100, 500, 1000),  # half
        (120, 400, 820, 990),  # from the eyes down, 600 of 1000 pixels
        (60, 500, 400, 900),  # partly outside
    ],
)
def test_parts_inside_a_close_up_are_dropped(part: Box):
    face = found(FACE, scores=[0.8])
    assert boxes(merged(found(part, scores=[0.95]), face, 0.4)) == [FACE]
    assert boxes(merged(found(part, (250, 300, 400, 380)), face, 0.4)) == [FACE]


def test_a_missed_close_up_is_added():
    other: Box = (1000, 0, 1090, 99)
    assert boxes(merged(found(), found(FACE), 0.4)) == [FACE]
    assert boxes(merged(found(other, scores=[0.7]), found(FACE, scores=[0.8]), 0.4)) == [FACE, other]


@pytest.mark.parametrize("score", [0.61, 0.99])
def test_where_both_views_found_a_face_the_ordinary_one_has_it(score: float):
    sharp: Box = (110, 110, 880, 990)
    both = merged(found(sharp, scores=[0.9]), found(FACE, scores=[score]), 0.4)
    assert boxes(both) == [sharp]
    assert both.scores.tolist() == [np.float32(0.9)]


def test_a_small_face_beside_a_close_up_stays():
    small: Box = (20, 20, 140, 160)
    assert boxes(merged(found(small), found(FACE, scores=[0.7]), 0.4)) == [small, FACE]


def test_nothing_and_nothing_is_nothing():
    assert boxes(merged(found(), found(), 0.4)) == []


PLACES = st.lists(st.tuples(*[st.integers(0, 50)] * 2, *[st.integers(1, 60)] * 2), max_size=5)


@given(PLACES, PLACES)
def test_merged_faces_are_some_of_both_best_first(first: list[tuple[int, ...]], second: list[tuple[int, ...]]):
    rng = np.random.default_rng(0)
    whole, close = (
        found(
            *[(x, y, x + width, y + height) for x, y, width, height in places],
            scores=rng.uniform(size=len(places)).tolist(),
        )
        if places
        else found()
        for places in (first, second)
    )
    both = merged(whole, close, 0.4)
    assert (np.diff(both.scores) <= 0).all()
    assert set(boxes(both)) <= {*boxes(whole), *boxes(close)}
    assert bool(boxes(both)) == bool(first or second)
    np.testing.assert_array_equal(boxes(merged(whole, found(), 0.4)), boxes(whole.take(np.argsort(-whole.scores))))


# The detector


def test_a_face_is_found_where_it_is():
    network = BrightNetwork()
    detector = SingleShotDetector(network, Options(lowest_score=0.7, longest_side=320))
    (face,) = detector.detect(photo_with((300, 200, 500, 440), 800, 1000))
    np.testing.assert_allclose(face.box, (300, 200, 500, 440), atol=5)
    np.testing.assert_allclose(face.landmarks[0], (360, 296), atol=5)
    assert [views.shape for views in network.views] == [(1, 256, 320, 3), (1, 128, 128, 3)]
    assert network.lowest_scores == [0.7, 0.7]


@pytest.mark.parametrize(("score", "views"), [(0.9, 1), (0.8, 2)])
def test_a_sparing_detector_looks_again_only_without_a_convincing_face(score: float, views: int):
    network = BrightNetwork(score=score)
    photo = photo_with((300, 200, 500, 440), 800, 1000)
    faces = SingleShotDetector(network, Options(is_sparing=True)).detect(photo)
    assert len(network.views) == views
    assert boxes_of(faces) == boxes_of(SingleShotDetector(BrightNetwork(score=score)).detect(photo))


def test_a_network_of_fixed_size_gets_that_size():
    network = BrightNetwork((96, 128))
    detector = SingleShotDetector(network, Options(input_shape=network.input_shape))
    (face,) = detector.detect(photo_with((300, 200, 500, 440), 800, 1000))
    np.testing.assert_allclose(face.box, (300, 200, 500, 440), atol=12)
    assert [views.shape for views in network.views] == [(1, 96, 128, 3)] * 2


def test_boxes_that_overlap_are_one_face():
    class Stuttering(BrightNetwork):
        def _find_in(self, view):
            once = super()._find_in(view)
            shifted = (
                found(*map(tuple, (once.boxes + 1).tolist()), scores=(once.scores - 0.1).tolist())
                if len(once.scores)
                else once
            )
            return Detections(*(np.concatenate(pair) for pair in zip(_fields(shifted), _fields(once), strict=True)))

    (face,) = SingleShotDetector(Stuttering()).detect(photo_with((30, 20, 90, 80), 100, 120))
    assert face.score == np.float32(0.9)
    assert face.box == (30, 20, 90, 80)


def _fields(faces: Detections):
    return faces.boxes, faces.scores, faces.landmarks


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (31, 33), (2000, 3)])
def test_nobody_is_found_in_black(size: tuple[int, int]):
    assert SingleShotDetector(BrightNetwork()).detect(np.zeros((*size, 3), np.uint8)) == []
