import numpy as np
import pytest

from app.errors import TrainingInvalid
from app.training.config import DataConfig
from app.training.data.cleaning import embed_source, find_outliers, write_list
from app.training.data.filtering import CachedSource, FilteredSource, in_memory
from app.training.data.folder import read_folder
from app.training.data.opening import open_data, read_list
from app.training.data.source import fingerprint
from tests.training.people import crops_of, no_cropper, whole_photo_cropper, write_people


def coarse(crops):
    """Embed a made-up person by the centred means of 14x14 blocks."""
    blocks = crops.reshape(len(crops), 8, 14, 8, 14, 3).mean((2, 4)).reshape(len(crops), -1)
    return (blocks - 127).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    """Return three people with five photos each; two photos have a wrong name."""
    path = write_people(tmp_path / "people", people=3, photos=5)
    (path / "p00" / "00.png").write_bytes((path / "p01" / "01.png").read_bytes())
    (path / "p02" / "04.png").write_bytes((path / "p01" / "02.png").read_bytes())
    return path


def people_with_wrong_names(seed=0):
    """Return embeddings (n, 32), labels, and which photos are wrong: 14 of other people in folders of 3 to 6 photos.

    Two photos of a person have a cosine of about 0.6, photos of two people one of about 0.
    """
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(40), 3 + np.arange(40) % 4)
    wrong = np.searchsorted(labels, np.arange(0, 28, 2))  # the first photo of every second person
    owners = labels.copy()
    owners[wrong] += 40
    people = generator.normal(size=(80, 32))
    embeddings = people[owners] + 0.8 * generator.normal(size=(len(labels), 32))
    return embeddings.astype(np.float32), labels, set(wrong.tolist())


def cosines_to_the_mean_of_all(embeddings, labels):
    units = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    sums = np.array([units[labels == label].sum(axis=0) for label in labels])
    return (units * sums).sum(axis=1) / np.linalg.norm(sums, axis=1)


def test_all_wrong_names_are_found_and_no_right_one():
    """A mean that contains the wrong photo finds a part of them."""
    embeddings, labels, wrong = people_with_wrong_names()
    outliers = find_outliers(embeddings, labels, 0.3)
    assert set(np.flatnonzero(outliers.is_dropped).tolist()) == wrong
    assert len(wrong) == 14
    assert not outliers.is_undecided.any()
    before = set(np.flatnonzero(cosines_to_the_mean_of_all(embeddings, labels) < 0.3).tolist())
    assert before < wrong
    assert len(before) <= 7


def test_the_cosine_is_to_the_others():
    embeddings = np.array([[2, 0], [0, 3], [1, 1], [-5, 0]], np.float32)
    outliers = find_outliers(embeddings, np.array([0, 0, 0, 1]), -1)
    sums = np.array([[np.sqrt(0.5), 1 + np.sqrt(0.5)], [1 + np.sqrt(0.5), np.sqrt(0.5)]])
    others = sums[[0, 1], [0, 1]] / np.linalg.norm(sums, axis=1)
    np.testing.assert_allclose(outliers.cosines, [*others, 1, np.nan], rtol=1e-6)
    assert not outliers.is_dropped.any()


def test_of_two_photos_that_differ_both_are_listed(folder, tmp_path):
    embeddings = np.array([[1, 0], [0, 1], [1, 0], [1, 0.1], [1, 0], [0, 1], [-1, -1]], np.float32)
    outliers = find_outliers(embeddings, np.array([0, 0, 1, 1, 2, 2, 2]), 0.3)
    assert outliers.is_undecided.tolist() == [True, True, False, False, True, True, False]
    assert outliers.is_dropped.tolist() == [True, True, False, False, True, True, True]
    source = read_folder(folder, None)
    few = np.array([0, 0, 1, 1, 2, 2, 2] + [3] * 8)
    padded = np.concatenate([embeddings, np.ones((8, 2), np.float32)])
    write_list(source, find_outliers(padded, few, 0.3, min_photos=3), 0.3, tmp_path / "list.txt")
    reasons = [line.split("\t")[2] for line in (tmp_path / "list.txt").read_text().splitlines()]
    assert reasons == [
        *["one of two photos that differ"] * 2,
        *["too few photos of the person are left"] * 2,
        *["one of two photos that differ"] * 2,
        "differs from the other photos",
    ]


def test_who_is_dropped():
    embeddings = np.array([[1, 0], [1, 0], [0, 1], [1, 0], [1, 0], [np.nan, 1]], np.float32)
    labels = np.array([0, 0, 0, 1, 1, 1])
    assert find_outliers(embeddings, labels, 0.3).is_dropped.tolist() == [False, False, True, False, False, True]
    assert find_outliers(embeddings, labels, 0.3, min_photos=3).is_dropped.all()


def test_photos_under_a_wrong_name_are_listed_and_left_out(folder, tmp_path):
    source = read_folder(folder, None)
    (folder / "p01" / "00.png").write_bytes(b"damaged")
    outliers = find_outliers(embed_source(source, coarse), source.labels, 0.8)
    write_list(source, outliers, 0.8, tmp_path / "lists" / "drop.txt")
    assert read_list(tmp_path / "lists" / "drop.txt") == {"p00/00.png", "p01/00.png", "p02/04.png"}
    assert "p01/00.png\tnan\tcannot be read" in (tmp_path / "lists" / "drop.txt").read_text()
    data = DataConfig(path=folder, aligned=True, exclude=tmp_path / "lists" / "drop.txt")
    left = open_data(data, no_cropper).source
    assert left.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert "p00/00.png" not in {left.name(place) for place in range(12)}


def test_photos_that_cannot_be_aligned_are_listed_too(folder, tmp_path):
    (folder / "p01" / "00.png").write_bytes(b"text")
    source = read_folder(folder, whole_photo_cropper(tmp_path / "crops"))
    outliers = find_outliers(embed_source(source, coarse), source.labels, -1)
    write_list(source, outliers, -1, tmp_path / "drop.txt", source.damaged)
    assert (tmp_path / "drop.txt").read_text() == "p01/00.png\tnan\tcannot be read\n"
    opened = open_data(
        DataConfig(path=folder, exclude=tmp_path / "drop.txt"), lambda: whole_photo_cropper(tmp_path / "crops")
    )
    assert (opened.damaged, opened.warnings, opened.photos) == ({}, (), 14)


def test_people_with_few_photos_are_left_out(folder):
    source = read_folder(folder, None)
    left = FilteredSource(source, excluded={"p01/00.png"}, min_photos=5)
    assert left.classes == ("p00", "p02")
    assert left.labels.tolist() == [0] * 5 + [1] * 5
    np.testing.assert_array_equal(left.crop(6), source.crop(11))
    assert fingerprint(left) != fingerprint(source)
    with pytest.raises(TrainingInvalid, match="two people with 6 photos or more, and there is only: nobody"):
        FilteredSource(source, min_photos=6)


def test_crops_are_decoded_once_if_they_fit(folder):
    source = read_folder(folder, None)
    kept = in_memory(source, 15 * 112 * 112 * 3)
    assert isinstance(kept, CachedSource)
    assert in_memory(source, 15 * 112 * 112 * 3 - 1) is source
    first = kept.crop(7)
    (folder / "p01" / "02.png").unlink()
    np.testing.assert_array_equal(kept.crop(7), first)
    np.testing.assert_array_equal(first, crops_of(1, 5)[2])
    assert fingerprint(kept) == fingerprint(source)


def test_a_list_that_is_none_is_refused(tmp_path):
    with pytest.raises(TrainingInvalid, match="cannot be read"):
        read_list(tmp_path / "none")
    (tmp_path / "list").write_bytes(b"\xff\xfe")
    with pytest.raises(TrainingInvalid, match="UTF-8"):
        read_list(tmp_path / "list")
