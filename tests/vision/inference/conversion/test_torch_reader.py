import io
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import NetworkInvalid
from app.vision.inference.conversion.torch_reader import read_tensors
from tests.vision.inference.conversion.torch_writer import DICTIONARY, dictionary, dump, tensor, text

RNG = np.random.default_rng(7)
WEIGHT, BIAS = RNG.normal(size=(4, 3, 2, 2)).astype(np.float32), RNG.normal(size=4).astype(np.float32)
TENSORS = {"conv.weight": WEIGHT, "conv.bias": BIAS, "bn.count": np.array([12])}


def test_float_tensors_are_read_by_name():
    tensors = read_tensors(dump(TENSORS))
    assert list(tensors) == ["conv.weight", "conv.bias"]
    assert (tensors["conv.weight"] == WEIGHT).all()
    assert (tensors["conv.bias"] == BIAS).all()


def test_a_file_of_pytorch_is_read():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; run: make training")
    file = io.BytesIO()
    state = {"a": torch.from_numpy(WEIGHT), "b": torch.tensor(3), "c": torch.from_numpy(BIAS)}
    torch.save(state, file, _use_new_zipfile_serialization=False)
    tensors = read_tensors(file.getvalue())
    assert list(tensors) == ["a", "c"]
    assert (tensors["a"] == WEIGHT).all()
    assert (tensors["c"] == BIAS).all()


def described(*parts: bytes) -> bytes:
    return dump({"a": BIAS}, b"\x80\x02" + DICTIONARY + b"(" + b"".join(parts) + b"u.")


HOSTILE = {
    "nothing": b"",
    "a ZIP file": b"PK\x03\x04" + bytes(100),
    "another magic number": dump(TENSORS, magic=5),
    "a call": dump(TENSORS, b"\x80\x02cos\nsystem\n" + text("true") + b"\x85R."),
    "a call among the tensors": described(text("a"), b"cbuiltins\neval\n" + text("1") + b"\x85R"),
    "a list": dump(TENSORS, b"\x80\x02]."),
    "no tensor": described(text("a"), text("b")),
    "another storage": described(text("a"), tensor("a", BIAS).replace(b"FloatStorage", b"HalfStorage")),
    "strides": described(text("a"), tensor("a", BIAS, strides=(2,))),
    "an offset beyond the storage": described(text("a"), tensor("a", BIAS, offset=2)),
    "an offset before the storage": described(text("a"), tensor("a", BIAS, offset=-1)),
    "a storage of another size": dump(TENSORS).replace(
        struct.pack("<q", BIAS.size) + BIAS.tobytes(), struct.pack("<q", 9) + BIAS.tobytes()
    ),
    "a storage that nothing needs": dump(TENSORS, dictionary({"conv.bias": BIAS})),
    "truncated": dump(TENSORS)[:-20],
}


@pytest.mark.parametrize("case", HOSTILE)
def test_anything_else_is_refused(case):
    with pytest.raises(NetworkInvalid):
        read_tensors(HOSTILE[case])


@given(place=st.integers(0, len(dump(TENSORS)) - 1), value=st.integers(0, 255))
def test_a_damaged_file_is_read_or_refused(place, value):
    damaged = bytearray(dump(TENSORS))
    damaged[place] = value
    with suppress(NetworkInvalid):
        read_tensors(bytes(damaged))
