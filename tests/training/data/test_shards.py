import errno

import cv2
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from app.errors import StorageNotWritable, TrainingInvalid
from app.training.data.folder import read_folder
from app.training.data.opening import open_path
from app.training.data.shards import pack
from app.vision.imaging.lossless import encode_png
from tests.training.people import crops_of, no_cropper, write_people


def opened(path):
    return open_path(path, no_cropper, is_aligned=False).source


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return read_folder(write_people(tmp_path_factory.mktemp("people"), people=3, photos=4), None)


def test_what_is_packed_is_the_same(folder, tmp_path):
    steps: list[int] = []
    files = pack(folder, tmp_path / "shards", steps.append, per_shard=5)
    assert [file.name for file in files] == ["00000.arrow", "00001.arrow", "00002.arrow"]
    assert sum(steps) == 12
    shards = opened(tmp_path / "shards")
    assert shards.classes == folder.classes
    np.testing.assert_array_equal(shards.labels, folder.labels)
    for place in range(12):
        assert shards.name(place) == folder.name(place)
        np.testing.assert_array_equal(shards.crop(place), folder.crop(place))
    with pytest.raises(TrainingInvalid, match="not empty"):
        pack(folder, tmp_path / "shards")


def test_a_full_disk_leaves_no_part_of_a_shard(folder, tmp_path):
    def fill(count):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageNotWritable, match=r"00000\.arrow cannot be written: the disk is full"):
        pack(folder, tmp_path / "shards", fill)
    assert list((tmp_path / "shards").iterdir()) == []
    assert pack(folder, tmp_path / "shards")


def test_a_jpeg_stays_a_jpeg(tmp_path):
    people = write_people(tmp_path / "people", people=2, photos=2)
    encoded = cv2.imencode(".jpg", crops_of(1, 1)[0])[1].tobytes()
    (people / "p01" / "00.png").rename(people / "p01" / "00.jpg")
    (people / "p01" / "00.jpg").write_bytes(encoded)
    source = read_folder(people, None)
    pack(source, tmp_path / "shards")
    shards = opened(tmp_path / "shards")
    assert shards.encoded(2) == encoded
    assert shards.encoded(0) == (people / "p00" / "00.png").read_bytes()
    pack(shards, tmp_path / "again")
    assert opened(tmp_path / "again").encoded(2) == encoded


def test_parquet_with_numbers(tmp_path):
    images = [encode_png(crops_of(person, 1)[0]) for person in (12, 5)]
    parquet.write_table(pa.table({"image": images, "label": [12, 5]}), tmp_path / "a.parquet")
    shards = opened(tmp_path / "a.parquet")
    assert shards.classes == ("0000005", "0000012")
    assert shards.labels.tolist() == [1, 0]
    assert shards.name(1) == "a.parquet:1"
    np.testing.assert_array_equal(shards.crop(1), crops_of(5, 1)[0])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"image": [b"x"]}, "lacks the columns"),
        ({"image": ["x"], "label": [1]}, "bytes"),
        ({"image": [b"x"], "label": [1.5]}, "labels"),
        ({"image": [b"x", b"y"], "label": [1, None]}, "labels"),
        ({"image": pa.array([], pa.binary()), "label": pa.array([], pa.int64())}, "no crops"),
    ],
)
def test_other_tables_are_refused(tmp_path, columns, message):
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(TrainingInvalid, match=message):
        opened(tmp_path / "a.parquet")


def test_a_row_without_a_photo_is_named(tmp_path):
    parquet.write_table(pa.table({"image": [b"x", None], "label": [1, 2]}), tmp_path / "a.parquet")
    shards = opened(tmp_path / "a.parquet")
    for row in (0, 1):
        with pytest.raises(TrainingInvalid, match=f"row {row} of"):
            shards.crop(row)


@pytest.mark.parametrize("suffix", ["arrow", "parquet"])
def test_damaged_files_are_refused(folder, tmp_path, suffix):
    (file,) = pack(folder, tmp_path / "shards")
    whole = file.read_bytes()
    damaged = tmp_path / f"a.{suffix}"
    for content in (b"", b"ARROW1", b"PAR1" + bytes(60), whole[: len(whole) // 2], whole[:-3]):
        damaged.write_bytes(content)
        with pytest.raises(TrainingInvalid, match="cannot be read"):
            opened(damaged)
