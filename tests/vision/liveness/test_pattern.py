import numpy as np
import pytest

from app.types import Box, Floats, Pixels
from app.vision.liveness.pattern import pattern_excess, pattern_strength

BOX = (20.0, 30.0, 180.0, 230.0)
RNG = np.random.default_rng(8)


def texture(height: int = 260, width: int = 200) -> Floats:
    """Return a texture (height, width) whose spectrum falls with the frequency, as that of a photo does."""
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    spectrum = np.fft.rfft2(RNG.normal(size=(height, width))) / (radius + 0.02) ** 2.2
    values = np.fft.irfft2(spectrum, (height, width))
    return np.asarray(120 + 30 * values / values.std(), np.float32)


def photo(brightness: Floats) -> Pixels:
    return np.repeat(np.clip(brightness, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def waves(period: float, degrees: float, height: int = 260, width: int = 200) -> Floats:
    """Return a grid of dots, 1 to -1, with a period in pixels."""
    y, x = np.indices((height, width))
    along = (x * np.cos(np.radians(degrees)) + y * np.sin(np.radians(degrees))) * 2 * np.pi / period
    across = (y * np.cos(np.radians(degrees)) - x * np.sin(np.radians(degrees))) * 2 * np.pi / period
    return np.asarray((np.cos(along) + np.cos(across)) / 2, np.float32)


@pytest.mark.parametrize("period", [2.3, 3.1, 5.2])
@pytest.mark.parametrize("degrees", [4, 15, 45])
def test_a_fine_grid_is_a_pattern(period, degrees):
    assert pattern_excess(photo(texture() + 12 * waves(period, degrees)), BOX) > 1


def test_a_texture_without_a_grid_is_not():
    assert [pattern_excess(photo(texture()), BOX) for _ in range(20)] == [0] * 20


def test_the_blocks_of_jpeg_are_not():
    blocks = 4 * ((np.arange(260)[:, None] // 8 + np.arange(200) // 8) % 2)
    lines = 4 * ((np.arange(260)[:, None] % 8 == 0) | (np.arange(200) % 8 == 0))
    assert pattern_excess(photo(texture() + lines), BOX) == 0
    assert pattern_excess(photo(texture() + blocks.astype(np.float32)), BOX) < 0.5


def test_the_excess_is_bounded():
    assert pattern_excess(photo(120 + 100 * waves(3.1, 20)), BOX) == 3


@pytest.mark.parametrize("box", [(0.0, 0.0, 61.7, 90.2), (-30.5, -20.0, 300.0, 400.0), (150.0, 200.0, 300.0, 300.0)])
def test_any_box_that_overlaps_the_photo_is_measured(box: Box):
    assert pattern_strength(photo(texture()), box) >= 0


@pytest.mark.parametrize("box", [(20.0, 20.0, 20.5, 90.0), (500.0, 500.0, 600.0, 600.0)])
def test_nothing_has_no_pattern(box: Box):
    assert pattern_strength(photo(texture()), box) == 0


def test_a_flat_photo_has_no_pattern():
    assert pattern_strength(np.full((260, 200, 3), 90, np.uint8), BOX) == 0
