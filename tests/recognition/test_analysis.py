"""A crowd in one photo: the most prominent faces are looked at, some at a time, while somebody waits for the answer."""

from concurrent.futures import CancelledError

import numpy as np
import pytest

from app.cli.demo_photos import as_jpeg
from app.recognition.analysis import _FACES_AT_ONCE, Analysis, ProbeWork
from app.types import Detection
from app.vision.alignment import ARCFACE_TEMPLATE, CROP_SIDE
from app.vision.imaging.decode import Limits
from app.vision.inference.cancellation import cancellable
from tests.recognition.fakes import BLUE, GREEN, RED, SIDE, SquareDetector, colour_analysis, photo, vector_of


class CountingEmbedder:
    """The colours' embedder; notes how many crops come at once and does something after each time."""

    def __init__(self, after=lambda: None):
        self._embedder = colour_analysis()._embedder
        self._after = after
        self.batches = []
        self.flips = []

    def embed(self, crops, *, is_flip_averaged=False):
        self.flips.append(is_flip_averaged)
        found = self._embedder.embed(crops, is_flip_averaged=is_flip_averaged)
        self.batches.append(len(crops))
        self._after()
        return found


def analysis_of(embedder, most_faces=100, probes=None, detector=None):
    limits = Limits(pixels=SIDE * SIDE * 1000)
    detector = detector or SquareDetector()
    return Analysis(detector, embedder, limits=limits, detection_side=640, most_faces=most_faces, probes=probes)


def test_the_most_prominent_faces_are_looked_at_and_the_others_counted():
    faces = analysis_of(CountingEmbedder(), 2).analyse(photo(RED, GREEN, BLUE), is_flip_averaged=False)
    assert (len(faces), faces.detected, faces.is_truncated) == (2, 3, True)
    assert faces[0].vector == pytest.approx(vector_of(GREEN), abs=0.05)  # in the middle
    all_of_them = analysis_of(CountingEmbedder(), 3).analyse(photo(RED, GREEN, BLUE), is_flip_averaged=False)
    assert (len(all_of_them), all_of_them.detected, all_of_them.is_truncated) == (3, 3, False)


def test_no_more_faces_are_embedded_than_are_needed():
    embedder = CountingEmbedder()
    faces = analysis_of(embedder).analyse(photo(RED, GREEN, BLUE), is_flip_averaged=False, most=1)
    assert (len(faces), faces.detected, embedder.batches) == (1, 3, [1])


def test_a_crowd_is_embedded_some_at_a_time():
    embedder = CountingEmbedder()
    faces = analysis_of(embedder).analyse(photo(*(2 * _FACES_AT_ONCE + 1) * [RED]), is_flip_averaged=False)
    assert embedder.batches == [_FACES_AT_ONCE, _FACES_AT_ONCE, 1]
    assert [face.detection.box[0] / CROP_SIDE for face in faces[1:]] == [
        *range(_FACES_AT_ONCE),
        *range(_FACES_AT_ONCE + 1, 2 * _FACES_AT_ONCE + 1),
    ]


@pytest.mark.parametrize("has_mirror", [True, False])
@pytest.mark.parametrize("is_flip_averaged", [True, False])
def test_probes_are_averaged_if_their_collection_and_the_effort_say_so(has_mirror, is_flip_averaged):
    embedder = CountingEmbedder()
    analysis = analysis_of(embedder, probes=ProbeWork(SquareDetector(), has_mirror))
    analysis.analyse(photo(RED), is_flip_averaged=is_flip_averaged)
    analysis.analyse(photo(RED), is_flip_averaged=is_flip_averaged, is_probe=True)
    assert embedder.flips == [is_flip_averaged, is_flip_averaged and has_mirror]


def test_probes_have_their_own_detector():
    class Blind:
        def detect(self, _pixels):
            return []

    analysis = analysis_of(CountingEmbedder(), probes=ProbeWork(Blind(), has_mirror=True))
    assert len(analysis.analyse(photo(RED), is_flip_averaged=False)) == 1
    assert len(analysis.analyse(photo(RED), is_flip_averaged=False, is_probe=True)) == 0


def test_the_work_ends_between_two_runs_once_nobody_waits_for_it():
    with cancellable() as cancellation:
        embedder = CountingEmbedder(after=cancellation.cancel)
        with pytest.raises(CancelledError):
            analysis_of(embedder).analyse(photo(*50 * [RED]), is_flip_averaged=False)
    assert embedder.batches == [_FACES_AT_ONCE]


@pytest.mark.parametrize(("side", "reduction"), [(112, 4), (60, 2), (56, 2), (30, 1), (9, 1)])
def test_a_reduced_photo_is_decoded_again_as_large_as_its_smallest_face_needs(side, reduction):
    """The face has `side` pixels in a quarter of the photo. Portraits have 1.6 times the face's pixels when aligned."""

    class OneFace:
        def detect(self, pixels):
            assert pixels.shape[1] == 1000
            return [Detection((100, 100, 100 + side, 100 + side), 0.9, ARCFACE_TEMPLATE + 100)]

    analysis = analysis_of(CountingEmbedder(), detector=OneFace())
    (face,) = analysis.analyse(as_jpeg(np.zeros((3000, 4000, 3), np.uint8)), is_flip_averaged=False, has_portraits=True)
    assert face.detection.box == pytest.approx((400, 400, 400 + 4 * side, 400 + 4 * side))
    assert face.portrait is not None
    assert face.portrait.shape[0] == round(1.6 * side * 4 / reduction)
