import pytest
from pydantic import TypeAdapter, ValidationError

from app.deepface.requests import DeepFacePair, DeepFacePhoto

URL = "https://photos.example/1.jpg"
PATHS = [
    "dataset/img1.jpg",
    "/etc/passwd",
    "C:\\photos\\a.jpg",
    "file:///etc/passwd",
    "ftp://photos.example/1.jpg",
    "../a",
    "aGVsbG8=",
    "",
    "https:/photos",
]


@pytest.mark.parametrize("path", PATHS)
def test_paths_are_never_read(path):
    with pytest.raises(ValidationError, match="paths on the server are not read"):
        DeepFacePhoto.model_validate({"img": path})


@pytest.mark.parametrize("value", [None, 1, ["a"], {"path": "a"}])
def test_other_values_are_refused(value):
    with pytest.raises(ValidationError, match="send a file"):
        DeepFacePhoto.model_validate({"img": value})


@pytest.mark.parametrize("given", [b"photo", "data:image/jpeg;base64,cGhvdG8=", " DATA:;base64,cGhvdG8"])
def test_a_photo_is_bytes_or_a_data_url(given):
    assert DeepFacePhoto.model_validate({"img": given}).photo == b"photo"


def test_json_is_read_strictly():
    text = '{"img": "data:image/png;base64,cGhvdG8=", "max_faces": 2, "anti_spoofing": false}'
    photo = DeepFacePhoto.model_validate_json(text, strict=True)
    assert (photo.photo, photo.max_faces) == (b"photo", 2)
    for wrong in ('"max_faces": 0', '"max_faces": "2"', '"anti_spoofing": 1'):
        with pytest.raises(ValidationError):
            DeepFacePhoto.model_validate_json(f'{{"img": "data:;base64,cGhvdG8=", {wrong}}}', strict=True)


def test_urls_are_replaced_by_their_photos():
    pair = DeepFacePair.model_validate({"img1": b"one", "img2": URL})
    assert pair.urls() == [URL]
    assert pair.with_photos([b"two"]).photos == (b"one", b"two")
    pair = DeepFacePair.model_validate({"img1": URL, "img2": f"{URL}?2"})
    assert pair.urls() == [URL, f"{URL}?2"]
    assert pair.with_photos([b"one", b"two"]).photos == (b"one", b"two")
    with pytest.raises(ValidationError, match="a URL must have at most"):
        DeepFacePair.model_validate({"img1": b"one", "img2": URL + "a" * 10_000})


def test_what_chooses_networks_is_ignored():
    ignored = {"model_name": "VGG-Face", "detector_backend": "mtcnn", "align": True, "enforce_detection": False}
    assert DeepFacePhoto.model_validate({"img": b"photo", **ignored}).model_extra is None


def test_the_document_describes_a_file():
    described = TypeAdapter(DeepFacePair).json_schema()["properties"]["img1"]
    assert (described["type"], described["format"]) == ("string", "byte")
