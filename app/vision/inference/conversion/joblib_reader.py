"""Float32 arrays from a joblib dump in an LZ4 frame, read without unpickling.

The dump is a pickled list of arrays. The values of each array are raw bytes behind its pickled description.
"""

import io
from typing import Any

import lz4.frame
import numpy as np

from app.errors import NetworkInvalid
from app.types import Floats
from app.vision.inference.pickles import MALFORMED, Name, PickleReader

LARGEST_PICKLE = 8 << 20  # bytes; the largest of the three has 1.6 MB

_WRAPPER, _ARRAY = Name("joblib.numpy_pickle", "NumpyArrayWrapper"), Name("numpy", "ndarray")
_FLOAT32 = ("f4", False, True)
_LITTLE_ENDIAN = (3, "<", None, None, None, -1, -1, 0)


def read_arrays(dump: bytes) -> list[Floats]:
    """Return the float32 arrays of a joblib dump in an LZ4 frame, in order; raises NetworkInvalid for anything else."""
    try:
        frame = lz4.frame.LZ4FrameDecompressor()
        pickled = frame.decompress(dump, max_length=LARGEST_PICKLE)
        if not frame.eof:
            raise NetworkInvalid("the weight file is truncated or too large")
        arrays = _ArrayReader(pickled).read()
    except MALFORMED as error:
        raise NetworkInvalid(f"the weight file is malformed: {error}") from error
    if not isinstance(arrays, list) or not all(isinstance(array, np.ndarray) for array in arrays):
        raise NetworkInvalid("the weight file is not a list of arrays")
    return arrays


class _ArrayReader(PickleReader):
    """Reader that accepts NumPy's float32 type and joblib's wrapper of an array, which it replaces by the array."""

    def call(self, function: Any, arguments: Any) -> Any:
        match function, arguments:
            case Name("joblib.numpy_pickle", "NumpyArrayWrapper"), ():
                return _WRAPPER
            case Name("numpy", "dtype"), ("f4", False, True):
                return _FLOAT32
        return super().call(function, arguments)

    def build(self, target: Any, state: Any) -> Any:
        if target is _FLOAT32 and state == _LITTLE_ENDIAN:
            return _FLOAT32
        return self._array(state) if target is _WRAPPER else super().build(target, state)

    def _array(self, description: dict[str, Any]) -> Floats:
        """Read the array that follows its description: a byte n, n bytes of padding, the values."""
        if [description[key] for key in ("subclass", "dtype", "order")] != [_ARRAY, _FLOAT32, "C"]:
            raise NetworkInvalid("the weight file holds an array that is not float32 in C order")
        self.stream.seek(self.stream.read(1)[0], io.SEEK_CUR)
        shape = description["shape"]
        values = np.frombuffer(self.stream.read(4 * int(np.prod(shape))), "<f4")
        return values.reshape(shape).astype(np.float32)
