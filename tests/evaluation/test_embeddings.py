"""Each photo is embedded once; cache entries are checked and belong to one configuration."""

import threading

import numpy as np
import pytest

from app.errors import EvaluationInvalid, ImageDamaged, NoFace
from app.evaluation.embeddings import EmbeddingCache, PhotoEmbedder, save_embeddings
from app.evaluation.values import EmbeddedFace, Photo

PHOTOS = [Photo(f"{name}.jpg", name.encode(), name) for name in ("one", "none", "three", "damaged")]


class Enrolled:
    """A fake embedder that records its calls."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def __call__(self, data: bytes) -> EmbeddedFace:
        self.asked.append(data)
        if data == b"none":
            raise NoFace("nobody")
        if data == b"damaged":
            raise ImageDamaged("cut short")
        value = len(data) + 0.1
        return EmbeddedFace(np.array([value, 0], np.float32), value, (1, 2, 3.3, 4), 0.7)


def same(one, other):
    for name in ("embeddings", "norms", "boxes", "quality"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    return one.failures == other.failures


def test_photos_come_back_in_their_order():
    steps: list[int] = []
    result = PhotoEmbedder(Enrolled(), threads=3).embed(PHOTOS, steps.append)
    assert sum(steps) == 4
    assert result.failures == {1: "no_face", 3: "image_damaged"}
    assert result.has_face.tolist() == [True, False, True, False]
    np.testing.assert_array_equal(result.embeddings[2], np.array([5.1, 0], np.float32))
    assert np.isnan(result.embeddings[1]).all()
    assert np.isnan(result.quality).tolist() == [False, True, False, True]
    np.testing.assert_array_equal(result.boxes[0], np.array([1, 2, 3.3, 4], np.float32))


def test_a_photo_is_embedded_once(tmp_path):
    first, second = Enrolled(), Enrolled()
    result = PhotoEmbedder(first, threads=2, cache=EmbeddingCache(tmp_path)).embed(PHOTOS)
    again = PhotoEmbedder(second, threads=2, cache=EmbeddingCache(tmp_path)).embed(PHOTOS[::-1])
    assert (len(first.asked), second.asked) == (4, [])
    np.testing.assert_array_equal(result.embeddings, again.embeddings[::-1])
    assert again.failures == {2: "no_face", 0: "image_damaged"}
    assert same(result, PhotoEmbedder(second, threads=2, cache=EmbeddingCache(tmp_path)).embed(PHOTOS))
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]


def test_another_set_up_asks_again(tmp_path):
    enroll = Enrolled()
    for folder in ("one", "two"):
        PhotoEmbedder(enroll, threads=1, cache=EmbeddingCache(tmp_path / folder)).embed(PHOTOS)
    assert len(enroll.asked) == 8


@pytest.mark.parametrize("damage", [b"", b"+", lambda data: data[:-3], lambda data: data[:-1] + b"\x01"])
def test_what_is_damaged_is_embedded_again(tmp_path, damage):
    result = PhotoEmbedder(Enrolled(), threads=1, cache=EmbeddingCache(tmp_path)).embed(PHOTOS)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            path.write_bytes(damage(path.read_bytes()) if callable(damage) else damage)
    enroll = Enrolled()
    assert same(result, PhotoEmbedder(enroll, threads=1, cache=EmbeddingCache(tmp_path)).embed(PHOTOS))
    assert len(enroll.asked) == 4


def test_photos_are_embedded_side_by_side():
    together = threading.Barrier(2, timeout=10)

    def enroll(data):
        together.wait()
        return EmbeddedFace(np.ones(2, np.float32), 1, (0, 0, 1, 1), 1)

    assert not PhotoEmbedder(enroll, threads=2).embed(PHOTOS).failures


def test_no_face_anywhere():
    with pytest.raises(EvaluationInvalid, match="any of the 1 photos"):
        PhotoEmbedder(Enrolled(), threads=1).embed(PHOTOS[1:2])


def test_saved_embeddings(tmp_path):
    result = PhotoEmbedder(Enrolled(), threads=1).embed(PHOTOS)
    save_embeddings(result, tmp_path / "new" / "saved")
    with np.load(tmp_path / "new" / "saved", allow_pickle=False) as saved:
        assert saved["files"].tolist() == ["one.jpg", "three.jpg"]
        assert saved["failures"].tolist() == ["none.jpg", "damaged.jpg"]
        np.testing.assert_array_equal(saved["embeddings"], result.embeddings[[0, 2]])
        np.testing.assert_array_equal(saved["vectors"], result.vectors[[0, 2]])
        np.testing.assert_array_equal(saved["norms"], np.array([3.1, 5.1], np.float32))
        assert saved["boxes"].shape == (2, 4)
        np.testing.assert_array_equal(saved["quality"], np.array([0.7, 0.7], np.float32))
