"""Float32 tensors from a file of PyTorch before version 1.6, read without PyTorch and without unpickling.

The file is five pickles (a magic number, a version, facts of the machine, a dictionary of tensors, the keys of their
storages), then the storages in the order of the keys: the number of values in 8 bytes, and the values.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from app.errors import NetworkInvalid
from app.types import Floats
from app.vision.inference.pickles import MALFORMED, Name, PickleReader

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_TYPES = {Name("torch", "FloatStorage"): "<f4", Name("torch", "LongStorage"): "<i8"}


@dataclass(frozen=True, slots=True)
class _Storage:
    """A reference to values that follow the pickles."""

    key: str
    dtype: str
    size: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A tensor before its storage is read."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]


def read_tensors(file: bytes) -> dict[str, Floats]:
    """Return the float32 tensors of a file by name, without those of integers.

    Raises NetworkInvalid for anything else.
    """
    try:
        return _TensorReader(file).tensors()
    except MALFORMED as error:
        raise NetworkInvalid(f"the weight file is malformed: {error}") from error


class _TensorReader(PickleReader):
    """Reader that accepts dictionaries, storages and contiguous tensors."""

    def tensors(self) -> dict[str, Floats]:
        if self.read_next() != _MAGIC_NUMBER:
            raise NetworkInvalid("the weight file is not a file of PyTorch before version 1.6")
        self.read_next()  # version
        self.read_next()  # facts of the machine
        described, keys = self.read_next(), self.read_next()
        if not isinstance(described, dict) or not all(isinstance(each, _Tensor) for each in described.values()):
            raise NetworkInvalid("the weight file is not a dictionary of tensors")
        storages = {each.storage.key: each.storage for each in described.values()}
        values = {key: self._values(storages[key]) for key in keys}
        return {
            str(name): values[each.storage.key][each.offset : each.offset + int(np.prod(each.shape))]
            .reshape(each.shape)
            .astype(np.float32)
            for name, each in described.items()
            if each.storage.dtype == "<f4"
        }

    def call(self, function: Any, arguments: Any) -> Any:
        match function, arguments:
            case Name("collections", "OrderedDict"), ():
                return {}
            case Name("torch._utils", "_rebuild_tensor_v2"), (_Storage() as storage, offset, shape, strides, *_):
                if strides != _contiguous(shape) or offset < 0:
                    raise NetworkInvalid("the weight file holds a tensor that is not contiguous")
                return _Tensor(storage, offset, shape)
        return super().call(function, arguments)

    def build(self, target: Any, state: Any) -> Any:
        """Ignore the attributes of a dictionary: versions of layers."""
        return target if isinstance(target, dict) else super().build(target, state)

    def reference(self, target: Any) -> Any:
        match target:
            case ("storage", Name() as kind, str(key), _, int(size), None) if kind in _TYPES:
                return _Storage(key, _TYPES[kind], size)
        return super().reference(target)

    def _values(self, storage: _Storage) -> np.ndarray[Any, Any]:
        count = int.from_bytes(self.stream.read(8), "little")
        if count != storage.size:
            raise NetworkInvalid("the weight file has a storage whose size differs from its description")
        dtype = np.dtype(storage.dtype)
        return np.frombuffer(self.stream.read(count * dtype.itemsize), dtype, count)


def _contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides, in values, of an array in C order."""
    return tuple(int(np.prod(shape[place + 1 :])) for place in range(len(shape)))
