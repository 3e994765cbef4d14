"""InsightFace's training sets: `train.rec` with `train.idx` (MXNet's RecordIO), read without MXNet.

A record is a magic number, a word, and the content padded to a multiple of 4 bytes. The upper 3 bits of the word
indicate whether the record is split; the lower ones are the length. The content starts with a header (`flag`, `label`,
`id`, `id2`). If `flag` is above 0, that many float32 labels follow, and the first one is used. If the flag of record 0
is above 0, it is not a photo: its first label is the key after the last photo. The following records describe people.
Nothing is unpickled, and lengths that exceed the file are refused.
"""

import mmap
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.errors import TrainingInvalid
from app.training.data.decoding import decode_crop
from app.training.data.source import Labels
from app.types import Pixels

_MAGIC = 0xCED7230A
_LENGTH_BITS = 29
_PREFIX, _HEADER = 8, 24  # bytes: magic and length; flag, label, id, id2
_BLOCK = 1 << 16  # records whose headers are read together
_WHOLE, _BEGIN, _MIDDLE, _END = range(4)

Offsets = NDArray[np.int64]


class RecordIOSource:
    """The photos of a memory-mapped .rec file; people are named by their numbers in it."""

    def __init__(self, file: Path) -> None:
        """Read the index and the labels; raises TrainingInvalid if a file is invalid or truncated."""
        self._file = file
        keys, offsets = _index(file.with_suffix(".idx"))
        self._bytes = _mapped(file)
        if (offsets < 0).any() or (offsets + _PREFIX + _HEADER > len(self._bytes)).any():
            raise TrainingInvalid(f"{file} is truncated, or {file.with_suffix('.idx')} is the index of another file")
        is_photo = self._is_photo(keys, offsets)
        self._keys, self._offsets = keys[is_photo], offsets[is_photo]
        if not len(self._keys):
            raise TrainingInvalid(f"{file} contains no photos")
        people, labels = np.unique(self._labels(), return_inverse=True)
        self.classes = tuple(f"{person:07d}" for person in people.tolist())
        self.labels: Labels = labels.astype(np.int64)

    def name(self, index: int) -> str:
        """Return the key of a photo in the index."""
        return str(self._keys[index])

    def crop(self, index: int) -> Pixels:
        """Return a crop (112, 112, 3); raises TrainingInvalid if it is damaged or of another size."""
        return decode_crop(self.encoded(index), f"record {self.name(index)} of {self._file}")

    def encoded(self, index: int) -> bytes:
        """See CropSource."""
        record = self._record(int(self._offsets[index]))
        (flag,) = struct.unpack_from("<I", record)
        return record[_HEADER + 4 * flag :]

    def _is_photo(self, keys: Offsets, offsets: Offsets) -> NDArray[np.bool_]:
        """Return which records are photos, according to record 0."""
        first = np.flatnonzero(keys == 0)
        if not first.size:
            return np.ones(len(keys), np.bool_)
        record = self._record(int(offsets[first[0]]))
        (flag,) = struct.unpack_from("<I", record)
        if flag == 0:
            return np.ones(len(keys), np.bool_)
        if len(record) < _HEADER + 4:
            raise TrainingInvalid(f"{self._file}: record 0 is truncated")
        (end,) = struct.unpack_from("<f", record, _HEADER)
        return (keys > 0) & (keys < end)

    def _labels(self) -> Labels:
        """Return the person number of each photo, as stored in the file (n,)."""
        content = np.frombuffer(self._bytes, np.uint8)
        labels = np.empty(len(self._offsets), np.float64)
        for start in range(0, len(labels), _BLOCK):
            offsets = self._offsets[start : start + _BLOCK]
            heads = content[offsets[:, None] + np.arange(_PREFIX + _HEADER)]
            magic, _, flag = heads[:, :12].copy().view("<u4").T
            if (magic != _MAGIC).any():
                raise TrainingInvalid(f"{self._file} is not a RecordIO file, or its .idx is the index of another file")
            label = heads[:, 12:16].copy().view("<f4")[:, 0].astype(np.float64)
            multiple = np.flatnonzero(flag > 0)
            positions = offsets[multiple] + _PREFIX + _HEADER
            if (positions + 4 > len(content)).any():
                raise TrainingInvalid(f"{self._file} is truncated")
            label[multiple] = content[positions[:, None] + np.arange(4)].copy().view("<f4")[:, 0]
            labels[start : start + _BLOCK] = label
        if not (np.isfinite(labels).all() and (labels >= 0).all() and (labels < 2**53).all()):
            raise TrainingInvalid(f"{self._file} has a label that is not a valid person number")
        return labels.astype(np.int64)

    def _record(self, offset: int) -> bytes:
        """Return a record, joining the parts of one that was split at occurrences of the magic number."""
        parts: list[bytes] = []
        while True:
            part, kind, offset = self._part(offset)
            if (kind in {_WHOLE, _BEGIN}) is bool(parts):
                raise TrainingInvalid(f"{self._file} is damaged: a record starts inside another one")
            parts.append(part)
            if kind in {_WHOLE, _END}:
                break
        record = struct.pack("<I", _MAGIC).join(parts)
        if len(record) < _HEADER:
            raise TrainingInvalid(f"{self._file} is damaged: a record has no header")
        return record

    def _part(self, offset: int) -> tuple[bytes, int, int]:
        """Return the bytes of a part, its kind, and the offset of the next part."""
        if offset + _PREFIX > len(self._bytes):
            raise TrainingInvalid(f"{self._file} is truncated")
        magic, word = struct.unpack_from("<II", self._bytes, offset)
        length = word & ((1 << _LENGTH_BITS) - 1)
        start, end = offset + _PREFIX, offset + _PREFIX + length
        if magic != _MAGIC or word >> _LENGTH_BITS > _END or end > len(self._bytes):
            raise TrainingInvalid(f"{self._file} is damaged or truncated")
        return self._bytes[start:end], word >> _LENGTH_BITS, end + -length % 4


def _index(file: Path) -> tuple[Offsets, Offsets]:
    """Read keys and offsets, one record per line; return them sorted by key."""
    try:
        rows = [(int(key), int(offset)) for key, offset in map(str.split, file.read_text("ascii").splitlines())]
        table = np.array(rows, np.int64).reshape(-1, 2)
    except OSError as error:
        raise TrainingInvalid(f"{file} cannot be read: {error.strerror}; a .rec file needs its .idx") from error
    except (ValueError, OverflowError) as error:
        raise TrainingInvalid(
            f"{file} is not an index of a .rec file: each line must be a key and an offset"
        ) from error
    keys, offsets = table[np.argsort(table[:, 0], kind="stable")].T
    return keys, offsets


def _mapped(file: Path) -> mmap.mmap:
    try:
        with file.open("rb") as stream:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise TrainingInvalid.unreadable(file, error) from error
    except ValueError as error:
        raise TrainingInvalid(f"{file} is empty") from error
