import numpy as np
import pytest

from app.errors import ArcidError
from app.gallery.store.binding import crop_context
from app.gallery.store.crops import CropSealer
from app.vision.imaging.lossless import decode_png
from app.vision.imaging.portrait import encode_jpeg
from tests.sealing import FakeSealer

CROP = np.random.default_rng(0).integers(0, 256, (112, 112, 3)).astype(np.uint8)
CROPS = CropSealer(FakeSealer())
ADA = crop_context("face", identity_id="ada", collection="people")


def test_a_crop_comes_back_pixel_by_pixel():
    assert (CROPS.open(CROPS.seal(CROP, ADA).data, ADA) == CROP).all()


def test_a_crop_with_a_portrait_comes_back_pixel_by_pixel_and_so_does_the_portrait():
    portrait = CROP[:80, :80]
    sealed = CROPS.seal(CROP, ADA, portrait).data
    assert (CROPS.open(sealed, ADA) == CROP).all()
    assert CROPS.image(sealed, ADA) == encode_jpeg(portrait)


def test_a_crop_without_a_portrait_is_the_image():
    assert CROPS.image(CROPS.seal(CROP, ADA).data, ADA) == encode_jpeg(CROP)


def test_what_is_stored_is_sealed():
    assert b"PNG" not in CROPS.seal(CROP, ADA).data
    with pytest.raises(AssertionError):
        decode_png(CROPS.seal(CROP, ADA).data)


@pytest.mark.parametrize(
    "other",
    [
        crop_context("another", identity_id="ada", collection="people"),
        crop_context("face", identity_id="bob", collection="people"),
        crop_context("face", identity_id="ada", collection="visitors"),
    ],
)
def test_a_crop_opens_for_nothing_else(other):
    with pytest.raises(ArcidError):
        CROPS.open(CROPS.seal(CROP, ADA).data, other)
