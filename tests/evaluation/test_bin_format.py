"""Reading of InsightFace's `.bin` sets as its own tools write them; hostile pickles execute nothing."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from app.errors import EvaluationInvalid
from app.evaluation.bin_format import read_bin

PHOTOS = [bytes([255, 216, 0, 200, number]) * (1 + 100 * number) for number in range(4)]
LABELS = [True, False]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_set_as_insightface_dumps_it(protocol, tmp_path):
    # https://github.com/deepinsight/insightface: recognition/_datasets_/.../lfw2pack.py
    with (tmp_path / "lfw.bin").open("wb") as file:
        pickle.dump((PHOTOS, LABELS), file, protocol=protocol)
    assert read_bin((tmp_path / "lfw.bin").read_bytes()) == (PHOTOS, LABELS)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_numpys_own_truth_values(protocol):
    flat = [np.frombuffer(photo, np.uint8) for photo in PHOTOS[:2]]
    columns = [np.frombuffer(photo, np.uint8).reshape(-1, 1).copy() for photo in PHOTOS[2:]]
    dump = pickle.dumps((flat + columns, [np.bool_(each) for each in LABELS]), protocol)
    assert read_bin(dump) == (PHOTOS, LABELS)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_an_array_that_occurs_twice(protocol):
    photo = np.frombuffer(PHOTOS[0], np.uint8).copy()
    assert read_bin(pickle.dumps(([photo, photo], [True]), protocol)) == ([PHOTOS[0]] * 2, [True])


def python_2(photo: bytes) -> bytes:
    """Return the pickle of a Python 2 `str`."""
    if len(photo) < 256:
        return b"U" + bytes([len(photo)]) + photo  # SHORT_BINSTRING
    return b"T" + len(photo).to_bytes(4, "little") + photo  # BINSTRING


def test_a_set_of_python_2():
    photos = b"".join(python_2(photo) + b"q" + bytes([place + 2]) for place, photo in enumerate(PHOTOS))
    dump = b"\x80\x02]q\x00(" + photos + b"e]q\x0a(\x88\x89e\x86q\x0b."
    assert pickle.loads(dump, encoding="bytes") == (PHOTOS, LABELS)  # noqa: S301 - written two lines above
    assert read_bin(dump) == (PHOTOS, LABELS)


def test_arrays_of_python_2():
    photo = np.frombuffer(PHOTOS[1], np.uint8)
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01btR(I1\n(I%d\ntcnumpy\ndtype\n"
        b"(U\x02u1I0\nI1\ntR(I3\nU\x01|NNNI-1\nI-1\nI0\ntbI00\n" % len(photo)
    )
    dump = b"\x80\x02](" + 2 * (array + python_2(PHOTOS[1]) + b"tb") + b"e](I01\ne\x86."
    assert read_bin(dump) == ([PHOTOS[1]] * 2, [True])


class Hostile:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self):
        return os.mkdir, (str(self._path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("place", ["all", "photo", "label"])
def test_a_hostile_set_runs_nothing(protocol, place, tmp_path):
    hostile = Hostile(tmp_path / "made")
    contents = {
        "all": hostile,
        "photo": ([*PHOTOS[:3], hostile], LABELS),
        "label": (PHOTOS, [True, hostile]),
    }
    dump = pickle.dumps(contents[place], protocol)
    with pytest.raises(EvaluationInvalid):
        read_bin(dump)
    assert not (tmp_path / "made").exists()
    pickle.loads(dump)  # noqa: S301 - to prove that the pickle is one that bites
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "dump",
    [
        b"",
        b"\x80\x04.",
        b"\x80\x04",
        b"not a pickle",
        b"cos\nsystem\n(S'true'\ntR.",
        b"(ios\nsystem\n.",  # INST
        b"(S'true'\nios\nsystem\n.",
        b"(cos\nsystem\nS'true'\no.",  # OBJ
        b"\x80\x02cbuiltins\neval\nX\x01\0\0\x001\x85\x81.",  # NEWOBJ
        b"\x80\x02\x82\x01.",  # EXT1
        b"Pid\n.",  # PERSID
        pickle.dumps(([b"one"], [True])),
        pickle.dumps(([b"one", b"two"], [2])),
        pickle.dumps((["one", "two"], [True])),
        pickle.dumps(([], [])),
        pickle.dumps([b"one", b"two"]),
        pickle.dumps(([np.zeros(3), np.zeros(3)], [True])),
        pickle.dumps(([np.array([b"one", None], object)] * 2, [True])),
        pickle.dumps(([b"one", b"two"], [True])) + b"more",
        b"\x80\x02]q\0h\0a.",  # a list that contains itself
    ],
    ids=lambda dump: repr(dump[:20]),
)
def test_all_else_is_refused(dump):
    with pytest.raises(EvaluationInvalid):
        read_bin(dump)


def test_a_small_file_does_not_become_large():
    text = b"x" * 10_000
    pushed = b"X" + len(text).to_bytes(4, "little") + text + b"q\1X\6\0\0\0latin1q\2\x86q\3"
    dump = b"\x80\x02](c_codecs\nencode\nq\0" + pushed + b"R" + 999 * b"h\0h\3R" + b"e](\x88e\x86."
    with pytest.raises(EvaluationInvalid, match="grows"):
        read_bin(dump)
