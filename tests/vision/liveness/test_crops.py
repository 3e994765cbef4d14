import numpy as np
import pytest

from app.vision.liveness.crops import CropKind, Region, crop, shifted_region, square_region

# Worked out by hand from the formulas of the sources (docs/liveness.md): photo (width, height), box, scale.
SHIFTED = {
    # 100 x 120 pixels, center (450, 460): 270 x 324
    "inside": ((1000, 1000), (400.9, 400.2, 499.9, 519.2), 2.7, Region(315, 298, 586, 623)),
    # 197 x 240 pixels, center (285.5, 230). Scale 479 / 197: 479 x 583.6, shifted by -46 and 61.8
    "shrunk and shifted": ((480, 640), (187.0, 110.0, 383.0, 349.0), 2.7, Region(0, 0, 480, 584)),
    # 40 x 40 pixels, center (180, 180): 160 x 160, shifted by -61
    "shifted from the far corner": ((200, 200), (160.0, 160.0, 199.0, 199.0), 4.0, Region(39, 39, 200, 200)),
    # 240 x 100 pixels in a narrower photo: scale 199 / 240
    "box larger than the photo": ((200, 200), (-20.0, 50.0, 219.0, 149.0), 2.7, Region(0, 58, 200, 142)),
}


@pytest.mark.parametrize("case", SHIFTED)
def test_a_shifted_region_is_that_of_the_source(case):
    (width, height), box, scale, region = SHIFTED[case]
    assert shifted_region(box, width, height, scale) == region


@pytest.mark.parametrize(
    ("box", "region"),
    [
        ((400.9, 400.2, 500.9, 520.2), Region(360, 370, 540, 550)),  # longer side 120: 180 around (450, 460)
        ((10.0, 10.0, 111.0, 61.0), Region(-15, -40, 136, 111)),  # 151.5 around (60.5, 35.5), from (-15.25, -40.25)
    ],
)
def test_a_square_region_may_lie_beyond_the_photo(box, region):
    assert square_region(box, 1.5) == region


@pytest.mark.parametrize("kind", CropKind)
def test_a_crop_has_the_side_of_the_network_and_keeps_the_photo(kind):
    photo = np.random.default_rng(1).integers(0, 256, (120, 90, 3), np.uint8)
    before = photo.copy()
    assert crop(photo, (20.0, 30.0, 70.0, 95.0), kind, scale=2.7, side=80).shape == (80, 80, 3)
    assert (photo == before).all()


def test_a_photo_is_reflected_without_repeating_its_edge():
    photo = np.repeat(np.arange(8, dtype=np.uint8)[None, :, None], 8, axis=0).repeat(3, axis=2)
    part = crop(photo, (0.0, 2.0, 4.0, 6.0), CropKind.REFLECTED_SQUARE, scale=1.5, side=6)  # columns -1..5
    assert part[0, :, 0].tolist() == [1, 0, 1, 2, 3, 4]


def test_a_shifted_crop_of_the_whole_photo_is_the_photo():
    photo = np.random.default_rng(2).integers(0, 256, (80, 80, 3), np.uint8)
    assert (crop(photo, (0.0, 0.0, 79.0, 79.0), CropKind.SHIFTED, scale=2.7, side=80) == photo).all()
