import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.types import Pixels
from app.vision.imaging.warp import warp

IDENTITY = np.array([[1.0, 0, 0], [0, 1, 0]])


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def similarity(scale: float, degrees: float, centre: tuple[float, float], side: int) -> NDArray[np.float64]:
    """Return the matrix that rotates and scales the photo and moves `centre` to the middle of the crop."""
    a = scale * np.exp(1j * np.radians(degrees))
    b = complex(side / 2, side / 2) - a * complex(*centre)
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def centroid(crop: Pixels) -> NDArray[np.float64]:
    """Return the centroid (x, y) of the light in a crop."""
    light = crop[..., 0].astype(np.float64)
    y, x = np.mgrid[: crop.shape[0], : crop.shape[1]]
    return np.array([(light * x).sum() / light.sum(), (light * y).sum() / light.sum()])


def blob(x: float, y: float, radius: float, side: int) -> Pixels:
    """Return a photo with a round spot of light at (x, y) on black."""
    rows, columns = np.mgrid[:side, :side]
    light = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * radius**2))
    return np.repeat(np.rint(light)[..., None], 3, axis=2).astype(np.uint8)


def test_identity_gives_the_photo():
    pixels = noise(40, 40)
    np.testing.assert_array_equal(warp(pixels, IDENTITY, 40), pixels)


@pytest.mark.parametrize(("x", "y"), [(3, 5), (-3, 5), (-7, -2), (0, -60), (90, 0)])
def test_translation_moves_and_leaves_black(x: int, y: int):
    pixels = noise(50, 50)
    expected = np.zeros_like(pixels)
    for row in range(50):
        for column in range(50):
            if 0 <= row - y < 50 and 0 <= column - x < 50:
                expected[row, column] = pixels[row - y, column - x]
    np.testing.assert_array_equal(warp(pixels, np.array([[1.0, 0, x], [0, 1, y]]), 50), expected)


def test_the_photo_is_left_as_it_is():
    pixels = noise(200, 200)
    before = pixels.copy()
    pixels.flags.writeable = False
    warp(pixels, IDENTITY * 0.2, 40)
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("shrink", [2.5, 4, 7, 12])
@pytest.mark.parametrize("degrees", [0, 30])
def test_a_checkerboard_shrunk_a_lot_is_grey(shrink: float, degrees: float):
    rows, columns = np.mgrid[:800, :800]
    pixels = np.repeat(((rows + columns) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    matrix = similarity(1 / shrink, degrees, (400, 400), 40)
    crop = warp(pixels, matrix, 40)
    assert crop.min() >= 117
    assert crop.max() <= 138
    sampled = cv2.warpAffine(pixels, matrix, (40, 40), flags=cv2.INTER_LINEAR)
    assert np.abs(sampled.astype(int) - 127).max() > 50, "without averaging it is not; else this test shows nothing"


@settings(max_examples=150)
@given(
    st.floats(0.06, 2),  # the edge of the crop cuts larger spots
    st.floats(-180, 180),
    st.tuples(*[st.floats(-12, 12)] * 2),
    st.tuples(*[st.floats(250, 260)] * 2),
)
def test_a_spot_lands_where_the_matrix_says(
    scale: float, degrees: float, shift: tuple[float, float], spot: tuple[float, float]
):
    side, photo_side = 128, 512
    pixels = blob(*spot, radius=4 / min(scale, 1), side=photo_side)
    matrix = similarity(scale, degrees, (256, 256), side)
    matrix[:, 2] += shift
    found = centroid(warp(pixels, matrix, side))
    np.testing.assert_allclose(found, matrix @ [*spot, 1], atol=0.1)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 500), (500, 1), (3, 7), (2, 40_000), (40_000, 2)])
@pytest.mark.parametrize("scale", [1e-4, 0.01, 0.1, 0.49, 0.5, 1, 30, 1e4])
def test_any_photo_and_any_scale_give_a_crop(width: int, height: int, scale: float):
    for centre in [(width / 2, height / 2), (-100.0, -100.0), (width + 1e5, height + 1e5)]:
        assert warp(np.full((height, width, 3), 200, np.uint8), similarity(scale, 20, centre, 16), 16).shape == (
            16,
            16,
            3,
        )


def test_a_crop_far_outside_is_black():
    assert not warp(np.full((300, 300, 3), 255, np.uint8), similarity(0.1, 0, (9000, 9000), 32), 32).any()


@pytest.mark.parametrize("factor", [2, 3, 5, 8])
def test_whole_factors_average_whole_blocks(factor: int):
    blocks = noise(24, 24)
    pixels = blocks.repeat(factor, axis=0).repeat(factor, axis=1)
    # The position of an averaged pixel is the middle of its block.
    matrix = np.array([[1 / factor, 0, (1 / factor - 1) / 2], [0, 1 / factor, (1 / factor - 1) / 2]])
    crop = warp(pixels, matrix, 24)
    if factor > 2:  # a factor of 2 is still sampled, between four equal pixels
        np.testing.assert_array_equal(crop, blocks)
    assert np.abs(crop.astype(int) - blocks).max() <= 1
