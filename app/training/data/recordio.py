"""InsightFace's training sets: `train.rec` with `train.idx` (MXNet's RecordIO), read without MXNet.

A record is a magic number, a word whose upper 3 bits say whether it is whole, its length, and its bytes, filled up to
a multiple of 4. It begins with a header (`flag`, `label`, `id`, `id2`); with a `flag` above 0 so many float32 labels
follow, the first of which counts. Record 0 holds no photo where its flag is above 0: its first label is the number of
the record behind the last photo (those behind it describe people). Nothing is unpickled, and no length is believed that
reaches beyond the file.
"""

import mmap
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.errors import TrainingInvalid
from app.faces import Pixels
from app.training.data.crops import decoded
from app.training.data.values import Labels

_MAGIC = 0xCED7230A
_LENGTH_BITS = 29
_PREFIX, _HEADER = 8, 24  # bytes: magic and length; flag, label, id, id2
_BLOCK = 1 << 16  # records whose heads are looked at together
_WHOLE, _BEGIN, _MIDDLE, _END = range(4)

Offsets = NDArray[np.int64]


class Records:
    """The photos of a .rec file, memory-mapped; people are named by their numbers in it."""

    def __init__(self, file: Path) -> None:
        """Read the index and the labels; raises TrainingInvalid for files that are none or are cut short."""
        self._file = file
        keys, offsets = _index(file.with_suffix(".idx"))
        self._bytes = _mapped(file)
        if (offsets < 0).any() or (offsets + _PREFIX + _HEADER > len(self._bytes)).any():
            raise TrainingInvalid(f"{file} is cut short, or is not what {file.with_suffix('.idx')} is of")
        is_photo = self._is_photo(keys, offsets)
        self._keys, self._offsets = keys[is_photo], offsets[is_photo]
        if not len(self._keys):
            raise TrainingInvalid(f"{file} holds no photos")
        people, labels = np.unique(self._labels(), return_inverse=True)
        self.classes = tuple(f"{each:07d}" for each in people.tolist())
        self.labels: Labels = labels.astype(np.int64)

    def name(self, place: int) -> str:
        """Return a photo's number in the index."""
        return str(self._keys[place])

    def crop(self, place: int) -> Pixels:
        """Return a crop (112, 112, 3); raises TrainingInvalid."""
        record = self._record(int(self._offsets[place]))
        (flag,) = struct.unpack_from("<I", record)
        return decoded(record[_HEADER + 4 * flag :], f"record {self.name(place)} of {self._file}")

    def _is_photo(self, keys: Offsets, offsets: Offsets) -> NDArray[np.bool_]:
        """Leave out what record 0 says is no photo."""
        first = np.flatnonzero(keys == 0)
        if not first.size:
            return np.ones(len(keys), np.bool_)
        record = self._record(int(offsets[first[0]]))
        (flag,) = struct.unpack_from("<I", record)
        if flag == 0:
            return np.ones(len(keys), np.bool_)
        if len(record) < _HEADER + 4:
            raise TrainingInvalid(f"{self._file}: record 0 is cut short")
        (end,) = struct.unpack_from("<f", record, _HEADER)
        return (keys > 0) & (keys < end)

    def _labels(self) -> Labels:
        """Return the number of each photo's person as the file has it (n,)."""
        content = np.frombuffer(self._bytes, np.uint8)
        labels = np.empty(len(self._offsets), np.float64)
        for start in range(0, len(labels), _BLOCK):
            offsets = self._offsets[start : start + _BLOCK]
            heads = content[offsets[:, None] + np.arange(_PREFIX + _HEADER)]
            magic, _, flag = heads[:, :12].copy().view("<u4").T
            if (magic != _MAGIC).any():
                raise TrainingInvalid(f"{self._file} is no RecordIO file, or is not what its .idx is of")
            label = heads[:, 12:16].copy().view("<f4")[:, 0].astype(np.float64)
            several = np.flatnonzero(flag > 0)
            places = offsets[several] + _PREFIX + _HEADER
            if (places + 4 > len(content)).any():
                raise TrainingInvalid(f"{self._file} is cut short")
            label[several] = content[places[:, None] + np.arange(4)].copy().view("<f4")[:, 0]
            labels[start : start + _BLOCK] = label
        if not (np.isfinite(labels).all() and (labels >= 0).all() and (labels < 2**53).all()):
            raise TrainingInvalid(f"{self._file} has a label that is no number of a person")
        return labels.astype(np.int64)

    def _record(self, offset: int) -> bytes:
        """Return a record, put together where it was cut because the magic number occurs in it."""
        parts: list[bytes] = []
        while True:
            part, kind, offset = self._part(offset)
            if (kind in {_WHOLE, _BEGIN}) is bool(parts):
                raise TrainingInvalid(f"{self._file} is damaged: a record begins in another")
            parts.append(part)
            if kind in {_WHOLE, _END}:
                break
        record = struct.pack("<I", _MAGIC).join(parts)
        if len(record) < _HEADER:
            raise TrainingInvalid(f"{self._file} is damaged: a record has no header")
        return record

    def _part(self, offset: int) -> tuple[bytes, int, int]:
        """Return the bytes of a part, its kind, and where the next one begins."""
        if offset + _PREFIX > len(self._bytes):
            raise TrainingInvalid(f"{self._file} is cut short")
        magic, word = struct.unpack_from("<II", self._bytes, offset)
        length = word & ((1 << _LENGTH_BITS) - 1)
        start, end = offset + _PREFIX, offset + _PREFIX + length
        if magic != _MAGIC or word >> _LENGTH_BITS > _END or end > len(self._bytes):
            raise TrainingInvalid(f"{self._file} is damaged or cut short")
        return self._bytes[start:end], word >> _LENGTH_BITS, end + -length % 4


def _index(file: Path) -> tuple[Offsets, Offsets]:
    """Read keys and offsets, one record to a line, in the order of the keys."""
    try:
        rows = [(int(key), int(offset)) for key, offset in map(str.split, file.read_text("ascii").splitlines())]
        table = np.array(rows, np.int64).reshape(-1, 2)
    except OSError as error:
        raise TrainingInvalid(f"{file} cannot be read: {error.strerror}; a .rec file needs its .idx") from error
    except (ValueError, OverflowError) as error:
        raise TrainingInvalid(f"{file} is no index of a .rec file: each line is a key and an offset") from error
    keys, offsets = table[np.argsort(table[:, 0], kind="stable")].T
    return keys, offsets


def _mapped(file: Path) -> mmap.mmap:
    try:
        with file.open("rb") as opened:
            return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise TrainingInvalid(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise TrainingInvalid(f"{file} is empty") from error
