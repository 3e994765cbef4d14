import numpy as np
import pytest

from app.errors import ArcidError
from app.identities.crops import CropSealer
from app.imaging.lossless import decode_png
from tests.sealing import FakeSealer

CROP = np.random.default_rng(0).integers(0, 256, (112, 112, 3)).astype(np.uint8)
CROPS = CropSealer(FakeSealer())


def test_a_crop_comes_back_pixel_by_pixel():
    assert (CROPS.open("face", CROPS.seal("face", CROP).data) == CROP).all()


def test_what_is_stored_is_sealed():
    assert b"PNG" not in CROPS.seal("face", CROP).data
    with pytest.raises(AssertionError):
        decode_png(CROPS.seal("face", CROP).data)


def test_a_crop_opens_as_no_other_faces():
    with pytest.raises(ArcidError):
        CROPS.open("another", CROPS.seal("face", CROP).data)
