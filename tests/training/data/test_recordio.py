import pickle
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import TrainingInvalid
from app.training.data.opening import open_path
from app.training.data.recordio import RecordIOSource
from app.vision.imaging.lossless import encode_png
from tests.training.people import crops_of, no_cropper

MAGIC = struct.pack("<I", 0xCED7230A)


def record(flag, label, content=b"", kind=0):
    """Return one record in MXNet's format: IRHeader, labels, photo."""
    header = struct.pack("<IfQQ", flag, label if flag == 0 else 0, 1, 0)
    labels = np.full(flag, label, "<f4").tobytes()
    return framed(header + labels + content, kind)


def framed(body, kind=0):
    return MAGIC + struct.pack("<I", kind << 29 | len(body)) + body + b"\0" * (-len(body) % 4)


def write(folder, records):
    offset, lines = 0, []
    for key, each in enumerate(records):
        lines.append(f"{key}\t{offset}\n")
        offset += len(each)
    (folder / "train.rec").write_bytes(b"".join(records))
    (folder / "train.idx").write_text("".join(lines))
    return folder / "train.rec"


def photo(person, number=0):
    return encode_png(crops_of(person, number + 1)[number])


@pytest.fixture
def insightface(tmp_path):
    """Return a set in InsightFace's layout: record 0 marks the end of the photos; one record per person follows."""
    people = [7, 7, 3]
    photos = [record(0, person, photo(person, number)) for number, person in enumerate(people)]
    return write(tmp_path, [record(2, 4.0), *photos, record(2, 1.0), record(2, 3.0)])


def test_a_set_of_insightface(insightface):
    records = open_path(insightface, no_cropper, is_aligned=False).source
    assert records.classes == ("0000003", "0000007")
    assert records.labels.tolist() == [1, 1, 0]
    assert records.name(0) == "1"
    for place, (person, number) in enumerate([(7, 0), (7, 1), (3, 2)]):
        np.testing.assert_array_equal(records.crop(place), crops_of(person, number + 1)[number])


def test_a_set_without_a_first_record_of_its_own_and_with_several_labels(tmp_path):
    records = RecordIOSource(write(tmp_path, [record(0, 5, photo(5)), record(2, 6.0, photo(6))]))
    assert records.labels.tolist() == [0, 1]
    np.testing.assert_array_equal(records.crop(1), crops_of(6, 1)[0])


def test_a_record_that_was_cut_where_the_magic_number_occurs(tmp_path):
    whole = struct.pack("<IfQQ", 0, 5, 1, 0) + photo(5)
    cut = framed(whole[:100], 1) + framed(whole[104:300], 2) + framed(whole[304:], 3)
    records = RecordIOSource(write(tmp_path, [record(0, 4, photo(4)), cut]))
    joined = whole[:100] + MAGIC + whole[104:300] + MAGIC + whole[304:]
    assert records._record(int(records._offsets[1])) == joined


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "empty|no photos"),
        ([b"\x80\x04" + pickle.dumps(print) + b"\0" * 40], "damaged or truncated"),
        ([record(0, -1, b"x" * 40)], "label"),
        ([record(0, float("nan"), b"x" * 40)], "label"),
        ([record(0, 1, b"x" * 40), record(1, float("inf"), b"x" * 40)], "label"),
        ([record(1, float("nan"), b"x" * 40)], "no photos"),
        ([framed(b"short")], "truncated"),
    ],
)
def test_what_is_no_set_is_refused(tmp_path, records, message):
    with pytest.raises(TrainingInvalid, match=message):
        RecordIOSource(write(tmp_path, records))


@pytest.mark.parametrize(
    "index", ["", "0\t0\t0\n", "a\tb\n", "0\t-8\n", "0\t99999999999999999999999\n", "0\t4000000\n", "é"]
)
def test_a_wrong_index_is_refused(insightface, index):
    insightface.with_suffix(".idx").write_text(index)
    with pytest.raises(TrainingInvalid):
        RecordIOSource(insightface)


def test_files_that_are_not_there(insightface):
    insightface.with_suffix(".idx").unlink()
    with pytest.raises(TrainingInvalid, match=r"needs its \.idx"):
        RecordIOSource(insightface)
    with pytest.raises(TrainingInvalid, match="does not exist"):
        open_path(insightface.with_name("other"), no_cropper, is_aligned=True)


@pytest.mark.parametrize(
    "damaged",
    [
        record(0, 1, photo(1))[:-60],  # the end of the file
        MAGIC + struct.pack("<I", 1 << 28) + bytes(40),  # a length beyond the file
        MAGIC + struct.pack("<I", 1 << 29 | 24) + bytes(24),  # an unfinished record
        framed(bytes(24), 1) + framed(bytes(24), 1),  # a record inside another one
        framed(bytes(24), 2),  # a middle part without a start
        struct.pack("<I", 7) + framed(bytes(24))[4:],
        record(0, 1, b"no photo"),
        record(0, 1),
        framed(struct.pack("<IfQQ", 2**31, 0, 0, 0) + b"\0" * 4),  # more labels than bytes
    ],
)
def test_a_damaged_record_is_refused(tmp_path, damaged):
    with pytest.raises(TrainingInvalid):
        RecordIOSource(write(tmp_path, [record(0, 0, photo(0)), damaged])).crop(1)


@settings(max_examples=150)
@given(st.integers(0, 250), st.integers(0, 255))
def test_changed_bytes_never_do_worse_than_an_error(tmp_path_factory, at, value):
    folder = tmp_path_factory.getbasetemp() / "fuzzed"
    folder.mkdir(exist_ok=True)
    file = write(folder, [record(2, 3.0), record(0, 1, photo(1)[:120]), record(0, 2, b"")])
    content = bytearray(file.read_bytes())
    content[at % len(content)] = value
    file.write_bytes(content)
    with suppress(TrainingInvalid):  # anything else fails the test
        records = RecordIOSource(file)
        assert len(records.labels) <= 3
        for place in range(len(records.labels)):
            assert records.crop(place).shape == (112, 112, 3)
