import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.types import Pixels
from app.vision.detection.detections import Detections
from app.vision.detection.views import GRID, fitted, surrounded
from tests.vision.detection.fakes import BrightNetwork, found, photo_with

SIDES = st.integers(1, 400)


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(0).integers(1, 256, (height, width, 3), dtype=np.uint8)


@given(SIDES, SIDES, st.integers(32, 500))
def test_a_fitted_photo_is_bounded_and_on_the_grid(height: int, width: int, longest_side: int):
    view = fitted(noise(height, width), longest_side)
    assert view.scale == min(1, longest_side / max(height, width))
    rows, columns = view.pixels.shape[:2]
    assert rows % GRID == columns % GRID == 0
    assert max(rows, columns) < longest_side + GRID
    small = [max(1, round(side * view.scale)) for side in (height, width)]
    assert (rows - small[0] < GRID) & (columns - small[1] < GRID)
    assert not view.pixels[small[0] :].any()
    assert not view.pixels[:, small[1] :].any()
    assert view.pixels[: small[0], : small[1]].min() > 0
    assert (view.left, view.top) == (0, 0)


@given(SIDES, SIDES, st.integers(1, 12), st.integers(1, 12))
def test_a_fixed_shape_is_kept_and_holds_the_whole_photo(height: int, width: int, rows: int, columns: int):
    shape = (rows * GRID, columns * GRID)
    view = fitted(noise(height, width), 10_000, shape)
    assert view.pixels.shape == (*shape, 3)
    assert view.scale == min(1, shape[0] / height, shape[1] / width)
    assert view.pixels[0, 0].any()


def test_a_small_photo_is_not_enlarged():
    pixels = noise(40, 50)
    view = fitted(pixels, 640)
    assert view.scale == 1
    np.testing.assert_array_equal(view.pixels[:40, :50], pixels)
    assert view.pixels.shape == (64, 64, 3)


def test_without_a_grid_nothing_is_added():
    assert fitted(noise(300, 401), 200, grid=1).pixels.shape == (150, 200, 3)


@given(SIDES, SIDES)
def test_a_surrounded_photo_lies_in_the_middle_of_black(height: int, width: int):
    view = surrounded(np.full((height, width, 3), 255, np.uint8), 96, (192, 224))
    assert view.pixels.shape == (192, 224, 3)
    rows, columns = np.nonzero(view.pixels[..., 0])
    assert max(np.ptp(rows), np.ptp(columns)) == 95
    assert abs(rows.min() - (191 - rows.max())) <= 1
    assert abs(columns.min() - (223 - columns.max())) <= 1
    assert (columns.min(), rows.min()) == (view.left, view.top)


@given(st.integers(20, 500), st.integers(20, 500), st.data())
def test_faces_come_back_to_where_they_are_in_the_photo(height: int, width: int, data: st.DataObject):
    left, top = data.draw(st.integers(0, width - 12)), data.draw(st.integers(0, height - 12))
    right, bottom = data.draw(st.integers(left + 10, width)), data.draw(st.integers(top + 10, height))
    pixels = photo_with((left, top, right, bottom), height, width)
    for view in (fitted(pixels, 100), fitted(pixels, 400, (96, 160)), surrounded(pixels, 96, (192, 192))):
        back = view.to_photo(BrightNetwork().find(view.pixels[None], 0.5)[0])
        # The bright area ends at whole pixels of the view, and a side may be rounded by half a pixel.
        np.testing.assert_allclose(back.boxes, [[left, top, right, bottom]], atol=2 / view.scale + 1)


@given(st.floats(0.1, 10), st.tuples(*[st.floats(-500, 500)] * 2))
def test_moving_there_and_back_changes_nothing(scale: float, offset: tuple[float, float]):
    faces = found((10, 20, 60, 90), (-5, 3, 8, 9))
    moved = faces.moved(scale, offset)
    back = moved.moved(1 / scale, (-offset[0] / scale, -offset[1] / scale))
    tolerance = 1e-3 / min(scale, 1) + 1e-2
    np.testing.assert_allclose(back.boxes, faces.boxes, atol=tolerance)
    np.testing.assert_allclose(back.landmarks, faces.landmarks, atol=tolerance)
    assert back.scores is faces.scores


def test_moving_no_face_gives_none():
    nobody = found().moved(3, (1, 2))
    assert isinstance(nobody, Detections)
    assert nobody.to_list() == []


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 4000)])
def test_any_size_gives_a_view(size: tuple[int, int]):
    assert fitted(noise(*size), 640).pixels.shape[0] % GRID == 0
    assert surrounded(noise(*size), 96, (192, 192)).pixels.any()


@pytest.mark.parametrize("longest_side", [200, 100, 50, 33])
def test_texture_finer_than_the_view_is_averaged(longest_side: int):
    stripes = np.zeros((300, 400, 3), np.uint8)
    stripes[:, ::2] = 254
    assert np.ptp(fitted(stripes, longest_side, grid=1).pixels) <= 1
