"""Transforms and crops compared with InsightFace's, and properties of similarity transforms."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.types import Floats, Pixels
from app.vision.alignment import ARCFACE_TEMPLATE, CROP_SIDE, align, similarity_transforms
from app.vision.inference.templates import TEMPLATES, upright_transform

RNG_SEED = 11


@pytest.fixture(scope="module")
def face_align():
    from insightface.utils import face_align as published  # noqa: PLC0415 - heavy, and wanted here alone

    return published


def insightface_matrix(face_align, landmarks: Floats) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`estimate` is deprecated", FutureWarning)  # scikit-image, of insightface
        return np.asarray(face_align.estimate_norm(landmarks), np.float64)


def insightface_crop(face_align, pixels: Pixels, landmarks: Floats) -> Pixels:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`estimate` is deprecated", FutureWarning)
        return np.asarray(face_align.norm_crop(pixels, landmarks), np.uint8)


def applied(matrix: NDArray[np.float64], points: Floats) -> NDArray[np.float64]:
    return np.asarray(points.astype(np.float64) @ matrix[:, :2].T + matrix[:, 2])


def posed(scale: float, degrees: float, centre: tuple[float, float], jitter: Floats | float = 0.0) -> Floats:
    """Return the template's face, `scale` times as large, turned, with its middle at `centre`."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) * scale
    return np.asarray((ARCFACE_TEMPLATE - ARCFACE_TEMPLATE.mean(axis=0) + jitter) @ turn + centre, np.float32)


def random_faces(count: int, largest: float = 8.0) -> Floats:
    """Return faces of all sizes and angles, with landmarks slightly off the template."""
    rng = np.random.default_rng(RNG_SEED)
    return np.stack(
        [
            posed(
                np.exp(rng.uniform(np.log(0.1), np.log(largest))),
                rng.uniform(-180, 180),
                (rng.uniform(0, 4000), rng.uniform(0, 3000)),
                rng.normal(0, 4, (5, 2)).astype(np.float32),
            )
            for _ in range(count)
        ]
    )


def test_transforms_equal_insightface(face_align):
    faces = random_faces(400)
    for matrix, landmarks in zip(similarity_transforms(faces), faces, strict=True):
        expected = insightface_matrix(face_align, landmarks)
        np.testing.assert_allclose(matrix[:, :2], expected[:, :2], atol=1e-5)
        np.testing.assert_allclose(applied(matrix, landmarks), applied(expected, landmarks), atol=1e-2)


def test_any_five_points_give_what_insightface_gives(face_align):
    points = np.random.default_rng(RNG_SEED).uniform(0, 500, (200, 5, 2)).astype(np.float32)
    for matrix, landmarks in zip(similarity_transforms(points), points, strict=True):
        # InsightFace also excludes reflections, even if one would fit better.
        np.testing.assert_allclose(matrix, insightface_matrix(face_align, landmarks), atol=1e-3, rtol=1e-4)


@given(st.floats(0.05, 40), st.floats(-180, 180), st.tuples(*[st.floats(-3000, 3000)] * 2))
def test_a_similar_face_is_brought_back_to_the_template(scale: float, degrees: float, centre: tuple[float, float]):
    landmarks = posed(scale, degrees, centre)
    (matrix,) = similarity_transforms(landmarks[None])
    # Tolerance: the last digit of float32 landmarks, in pixels of the crop.
    unit = float(np.spacing(np.abs(landmarks).max())) / scale
    np.testing.assert_allclose(applied(matrix, landmarks), ARCFACE_TEMPLATE, atol=1e-4 + 2 * unit)
    a = complex(matrix[0, 0], matrix[1, 0])
    assert abs(a) == pytest.approx(1 / scale, rel=1e-3 + unit)
    assert matrix[0, 0] == matrix[1, 1]
    assert matrix[0, 1] == -matrix[1, 0]


@given(st.floats(0.5, 20), st.floats(-180, 180))
def test_no_other_similarity_fits_better(factor: float, degrees: float):
    (landmarks,) = random_faces(1)
    (matrix,) = similarity_transforms(landmarks[None])
    best = ((applied(matrix, landmarks) - ARCFACE_TEMPLATE) ** 2).sum()
    a = complex(matrix[0, 0], matrix[1, 0]) * (1 + (factor - 1) * 0.01) * np.exp(1j * np.radians(degrees / 180))
    other = np.array([[a.real, -a.imag, matrix[0, 2]], [a.imag, a.real, matrix[1, 2]]])
    other[:, 2] += (ARCFACE_TEMPLATE - applied(other, landmarks)).mean(axis=0)
    assert ((applied(other, landmarks) - ARCFACE_TEMPLATE) ** 2).sum() >= best - 1e-6


def test_another_template_is_taken():
    (landmarks,) = random_faces(1)
    (matrix,) = similarity_transforms(landmarks[None], landmarks)
    np.testing.assert_allclose(matrix, [[1, 0, 0], [0, 1, 0]], atol=1e-3)


def textured(height: int, width: int) -> Pixels:
    """Return a photo of waves with lengths down to ten pixels."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    waves = [np.sin(x / 7 + y / 40), np.sin(y / 9 - x / 60), np.sin((x + y) / 5)]
    return (np.stack(waves, axis=-1) * 100 + 128).astype(np.uint8)


def test_crops_equal_insightface_unless_a_face_is_shrunk_a_lot(face_align):
    pixels = textured(600, 800)
    rng = np.random.default_rng(RNG_SEED)
    faces = np.stack(
        [
            posed(rng.uniform(0.4, 1.95), rng.uniform(-60, 60), (rng.uniform(0, 800), rng.uniform(0, 600)))
            for _ in range(60)
        ]
    )
    for crop, landmarks in zip(align(pixels, faces), faces, strict=True):
        expected = insightface_crop(face_align, pixels, landmarks)
        difference = np.abs(crop.astype(int) - expected)
        assert difference.max() <= 2
        assert difference.mean() < 0.1


def test_a_large_face_is_averaged_and_not_aliased(face_align):
    rng = np.random.default_rng(RNG_SEED)
    pixels = rng.integers(0, 256, (2400, 2400, 3), dtype=np.uint8)
    landmarks = posed(12, 10, (1200, 1200))
    (crop,) = align(pixels, landmarks[None])
    assert crop.std() < 12
    assert insightface_crop(face_align, pixels, landmarks).std() > 40


def test_landmarks_of_a_large_face_still_land_on_the_template():
    landmarks = posed(9, 25, (1500, 1500))
    pixels = np.zeros((3000, 3000, 3), np.uint8)
    for x, y in np.rint(landmarks).astype(int):
        pixels[y - 9 : y + 10, x - 9 : x + 10] = 255
    (crop,) = align(pixels, landmarks[None])
    for x, y in ARCFACE_TEMPLATE:
        rows, columns = np.mgrid[round(float(y)) - 5 : round(float(y)) + 6, round(float(x)) - 5 : round(float(x)) + 6]
        light = crop[rows, columns, 0].astype(np.float64)
        middle = [(light * columns).sum() / light.sum(), (light * rows).sum() / light.sum()]
        np.testing.assert_allclose(middle, [x, y], atol=0.12)


def test_every_face_is_cut_out_in_order():
    pixels = np.zeros((300, 900, 3), np.uint8)
    for number in range(3):
        pixels[:, 300 * number : 300 * (number + 1)] = 50 * (number + 1)
    faces = np.stack([posed(1, 0, (150 + 300 * number, 150)) for number in (2, 0, 1)])
    crops = align(pixels, faces)
    assert crops.shape == (3, CROP_SIDE, CROP_SIDE, 3)
    assert crops.dtype == np.uint8
    assert [set(crop.ravel().tolist()) for crop in crops] == [{150}, {50}, {100}]


def test_no_face_gives_no_crop():
    assert align(np.zeros((10, 10, 3), np.uint8), np.empty((0, 5, 2), np.float32)).shape == (0, 112, 112, 3)


def test_beyond_the_photo_is_black():
    (crop,) = align(np.full((200, 200, 3), 255, np.uint8), posed(1, 0, (0, 100))[None])
    assert not crop[:, : CROP_SIDE // 3].any()
    assert crop[:, CROP_SIDE * 2 // 3 :].min() == 255


@pytest.mark.parametrize(
    "landmarks",
    [
        np.zeros((5, 2)),
        np.full((5, 2), 0.1),
        np.full((5, 2), 1e6),
        np.full((5, 2), 100.3) + np.arange(10).reshape(5, 2) * 1e-5,
        np.stack([np.arange(5), np.zeros(5)], axis=1),
        np.stack([np.arange(5), np.arange(5)], axis=1) * 1e5,
        ARCFACE_TEMPLATE * [-1, 1],
        ARCFACE_TEMPLATE[[1, 0, 2, 4, 3]],
        ARCFACE_TEMPLATE * 1e-6,
        ARCFACE_TEMPLATE * 1e6,
        -ARCFACE_TEMPLATE - 1e6,
    ],
    ids=[
        "zero",
        "one point",
        "far point",
        "nearly one",
        "line",
        "long line",
        "mirrored",
        "swapped",
        "tiny",
        "huge",
        "far",
    ],
)
def test_degenerate_landmarks_give_a_crop(landmarks: Floats):
    points = landmarks.astype(np.float32)[None]
    assert np.isfinite(similarity_transforms(points)).all()
    assert align(np.full((90, 120, 3), 99, np.uint8), points).shape == (1, CROP_SIDE, CROP_SIDE, 3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (40_000, 30)])
def test_any_photo_gives_a_crop(shape: tuple[int, int]):
    pixels = np.full((*shape, 3), 99, np.uint8)
    for scale in (0.1, 1, 5, 400):
        assert align(pixels, posed(scale, 5, (shape[1] / 2, shape[0] / 2))[None]).shape == (1, 112, 112, 3)


def test_a_face_low_in_a_very_tall_photo_is_cut_out():
    pixels = np.zeros((40_000, 120, 3), np.uint8)
    pixels[39_700:] = 200
    (crop,) = align(pixels, posed(1, 0, (60, 39_850))[None])
    assert crop.min() == 200


# Templates


@given(st.floats(0.1, 10), st.floats(-100, 100), st.floats(-100, 100))
def test_an_upright_transform_is_recovered(scale: float, right: float, down: float):
    moved = (ARCFACE_TEMPLATE * scale + (right, down)).astype(np.float32)
    found, offset = upright_transform(ARCFACE_TEMPLATE, moved)
    assert found == pytest.approx(scale, rel=1e-3)
    assert offset == pytest.approx((right, down), abs=1e-2)


def test_the_crop_of_the_zoo_lies_inside_that_of_arcface():
    zoo = TEMPLATES["zoo-128"]
    scale, offset = upright_transform(ARCFACE_TEMPLATE, zoo.landmarks)
    first, last = (((corner - np.array(offset)) / scale).tolist() for corner in (0, zoo.side - 1))
    assert min(first) > 0
    assert max(last) < CROP_SIDE - 1
    moved = ARCFACE_TEMPLATE * scale + np.array(offset)
    assert np.abs(moved - zoo.landmarks).max() < 4  # the templates differ in their proportions
