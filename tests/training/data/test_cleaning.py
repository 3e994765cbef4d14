import numpy as np
import pytest

from app.errors import TrainingInvalid
from app.training.config import DataConfig
from app.training.data.cleaning import centre_similarities, select_outliers, similarities_to_centre, write_list
from app.training.data.filtering import CachedSource, FilteredSource, in_memory
from app.training.data.folder import read_folder
from app.training.data.opening import open_data, read_list
from app.training.data.source import fingerprint
from tests.training.people import crops_of, no_cropper, write_people


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


def test_the_cosine_to_a_centre():
    embeddings = np.array([[2, 0], [0, 3], [1, 1], [-5, 0]], np.float32)
    cosines = centre_similarities(embeddings, np.array([0, 0, 0, 1]))
    np.testing.assert_allclose(cosines, [np.sqrt(0.5), np.sqrt(0.5), 1, 1], rtol=1e-6)


def test_who_is_dropped():
    cosines, labels = np.array([0.9, 0.2, 0.5, 0.5, np.nan, 0.9]), np.array([0, 0, 1, 1, 2, 2])
    assert select_outliers(cosines, labels, 0.3).tolist() == [False, True, False, False, True, False]
    assert select_outliers(cosines, labels, 0.3, min_photos=2).tolist() == [True, True, False, False, True, True]


def test_photos_under_a_wrong_name_are_listed_and_left_out(folder, tmp_path):
    source = read_folder(folder, None)
    cosines = similarities_to_centre(source, coarse)
    write_list(source, cosines, select_outliers(cosines, source.labels, 0.8), tmp_path / "lists" / "drop.txt")
    assert read_list(tmp_path / "lists" / "drop.txt") == {"p00/00.png", "p02/04.png"}
    data = DataConfig(path=folder, aligned=True, exclude=tmp_path / "lists" / "drop.txt")
    left = open_data(data, no_cropper).source
    assert left.labels.tolist() == [0] * 4 + [1] * 5 + [2] * 4
    assert "p00/00.png" not in {left.name(place) for place in range(13)}


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
