"""Pixels as photos: arrays of NumPy and images of Pillow become PNG files with the same pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from arcid import Client, Unprocessable
from arcid.photos import as_sequence, bytes_of

RGB = np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8)


def decoded(data):
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("array", [RGB, RGB[:, :, 0], RGB[:, :, ::-1], RGB[::2, ::3], np.asfortranarray(RGB)])
def test_an_array_is_sent_as_it_is(array):
    np.testing.assert_array_equal(decoded(bytes_of(array)), array)


@pytest.mark.parametrize(
    "array", [RGB.astype(float), RGB[:, :, :2], RGB[None], np.zeros((0, 3, 3), np.uint8), np.zeros(3, np.uint8)]
)
def test_other_arrays_are_refused(array):
    with pytest.raises(TypeError, match="not a photo"):
        bytes_of(array)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
def test_an_image_of_pillow_is_sent_in_rgb(mode):
    image = Image.fromarray(RGB).convert(mode)
    np.testing.assert_array_equal(decoded(bytes_of(image)), np.asarray(image.convert("RGB")))


def test_an_image_of_pillow_is_sent_upright():
    image = Image.fromarray(RGB)
    image.getexif()[0x0112] = 6
    np.testing.assert_array_equal(decoded(bytes_of(image)), np.rot90(RGB, -1))


def test_one_array_is_one_photo_and_a_list_is_several():
    assert len(as_sequence(RGB)) == len(as_sequence(Image.fromarray(RGB))) == 1
    assert len(as_sequence([RGB, RGB])) == 2


def test_other_objects_are_refused():
    with pytest.raises(TypeError, match="int is not a photo"):
        bytes_of(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("localhost:8000", "http://localhost:8000/v1"),
        ("https://a.test/faces/", "https://a.test/faces/v1"),
        ("a/v1", "http://a/v1"),
        ("http://a/v1/", "http://a/v1"),
    ],
)
def test_an_address_may_lack_its_scheme_and_version(given, used):
    with Client(given) as client:
        assert str(client.transport.http.base_url).rstrip("/") == used


def test_an_error_has_the_reasons_of_refused_photos():
    rejected = [{"photo": 0, "code": "no_face", "detail": "no face was found in the photo"}]
    error = Unprocessable(422, "nothing_enrolled", "no photo could be used", extra={"rejected": rejected})
    assert str(error).endswith("no photo could be used; photo 0: no face was found in the photo (no_face)")
    fields = [{"field": "top_k", "detail": "too large"}]
    assert str(Unprocessable(422, "request_invalid", "bad", extra={"errors": fields})).endswith("top_k: too large")
