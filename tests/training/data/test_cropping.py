"""Alignment with the real detector."""

import cv2
import numpy as np
import pytest

from app.errors import NoFace, StorageNotWritable, TrainingInvalid
from app.evaluation.values import Photo
from app.training.data.cropping import FaceCropper
from app.training.data.decoding import decode_crop
from app.training.data.folder import read_folder
from app.wiring.model_loading import ModelLoader
from app.wiring.storage import open_packs
from app.wiring.training import open_cropper
from tests.training.people import crops_of, whole_photo_cropper, write_people


class Counted:
    """A fake that crops the centre of a photo and counts its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, data):
        self.calls += 1
        if data == b"nobody":
            raise NoFace("no face was found in the photo")
        return crops_of(person=len(data), count=1)[0]


@pytest.fixture
def cropper(tmp_path):
    return FaceCropper(Counted(), "setup", tmp_path / "kept", threads=2)


def test_a_photo_is_cut_once(cropper):
    photos = [Photo("one", b"1", "Ada"), Photo("none", b"nobody", "Ada"), Photo("two", b"22", "Bob")]
    steps: list[int] = []
    result = cropper.crop_photos(photos, steps.append)
    assert result[1] == "no_face"
    assert isinstance(result[2], bytes)
    np.testing.assert_array_equal(decode_crop(result[2], "two"), crops_of(person=2, count=1)[0])
    assert cropper.crop_photos(photos) == result
    assert cropper.crop.calls == len(steps) == 3


def test_another_set_up_cuts_anew_and_what_is_damaged_too(cropper):
    photo = [Photo("one", b"1", "Ada")]
    result = cropper.crop_photos(photo)
    other = FaceCropper(cropper.crop, "other", cropper.folder)
    assert other.crop_photos(photo) == result
    assert cropper.crop.calls == 2
    (kept,) = (cropper.folder / "setup").glob("*/*.png")
    for damaged in (kept.read_bytes()[:-40], b""):
        kept.write_bytes(damaged)
        assert cropper.crop_photos(photo) == result
    assert cropper.crop.calls == 4


def test_a_photo_that_cannot_be_read_is_left_out(cropper, tmp_path):
    (tmp_path / "one").write_bytes(b"1")
    photos = [Photo("gone", tmp_path / "gone", "Ada"), Photo("one", tmp_path / "one", "Ada")]
    gone, one = cropper.crop_photos(photos)
    assert gone == "file_unusable"
    assert isinstance(one, bytes)


def test_a_cache_that_cannot_be_written_is_a_sentence(cropper):
    cropper.folder.write_text("a file")
    with pytest.raises(StorageNotWritable, match="cannot be written"):
        cropper.crop_photos([Photo("one", b"1", "Ada")])


def test_a_folder_lists_who_has_no_face(cropper, tmp_path):
    for person, photo in (("Ada", b"a"), ("Ada", b"nobody"), ("Bob", b"nobody"), ("Cy", b"cc")):
        (tmp_path / "people" / person).mkdir(parents=True, exist_ok=True)
        (tmp_path / "people" / person / f"{len(photo)}.jpg").write_bytes(photo)
    folder = read_folder(tmp_path / "people", cropper)
    assert folder.classes == ("Ada", "Cy")
    assert folder.labels.tolist() == [0, 1]
    assert folder.failures == {"Ada/6.jpg": "no_face", "Bob/6.jpg": "no_face"}
    assert [folder.name(place) for place in (0, 1)] == ["Ada/1.jpg", "Cy/2.jpg"]
    np.testing.assert_array_equal(folder.crop(1), crops_of(person=2, count=1)[0])


def test_unreadable_photos_are_not_those_without_a_face(tmp_path):
    people = write_people(tmp_path / "people", people=2, photos=2)
    for name, content in (("p00/00.png", b"nobody"), ("p01/00.png", b"text")):
        (people / name).write_bytes(content)
    folder = read_folder(people, whole_photo_cropper(tmp_path / "crops"))
    assert folder.failures == {"p00/00.png": "no_face"}
    assert folder.damaged == {"p01/00.png": "p01/00.png cannot be read: not_an_image"}
    for name in ("p00/01.png", "p01/01.png"):
        (people / name).write_bytes(b"text")
    with pytest.raises(TrainingInvalid, match=r"no face was found in any of the 4 photos .*, and 3 of them cannot be"):
        read_folder(people, whole_photo_cropper(tmp_path / "crops"))


def test_a_folder_without_faces_or_people_is_refused(cropper, tmp_path):
    (tmp_path / "people" / "Ada").mkdir(parents=True)
    with pytest.raises(TrainingInvalid, match=r"person/photo\.jpg"):
        read_folder(tmp_path / "people", cropper)
    (tmp_path / "people" / "Ada" / "1.jpg").write_bytes(b"nobody")
    with pytest.raises(TrainingInvalid, match="no face"):
        read_folder(tmp_path / "people", cropper)


def test_crops_are_taken_as_they_are(tmp_path):
    folder = read_folder(write_people(tmp_path / "people", people=2, photos=2), None)
    np.testing.assert_array_equal(folder.crop(3), crops_of(person=1, count=2)[1])
    (tmp_path / "people" / "p00" / "00.png").write_bytes(b"no image")
    with pytest.raises(TrainingInvalid, match=r"p00/00\.png is not a JPEG or PNG"):
        folder.crop(0)
    (tmp_path / "people" / "p00" / "00.png").write_bytes(cv2.imencode(".png", np.zeros((40, 60, 3), np.uint8))[1])
    with pytest.raises(TrainingInvalid, match="60x40"):
        folder.crop(0)
    (tmp_path / "people" / "p00" / "00.png").unlink()
    with pytest.raises(TrainingInvalid, match="cannot be read"):
        folder.crop(0)


def test_real_photos_are_aligned_as_the_service_does(settings, faces_of, faceless):
    photos = [Photo(str(number), photo, "") for number, photo in enumerate([*faces_of, faceless])]
    *crops, nobody = open_cropper(settings).crop_photos(photos)
    analysis = ModelLoader(settings, open_packs(settings)).default_analysis()
    assert nobody == "no_face"
    for crop, photo in zip(crops, faces_of, strict=True):
        assert isinstance(crop, bytes)
        served = analysis.analyse(photo, is_flip_averaged=False)[0].crop
        np.testing.assert_array_equal(decode_crop(crop, "crop"), served)
