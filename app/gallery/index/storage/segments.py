"""The files of a snapshot: one for each block, immutable and named by its content, and one for the codec."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.database.cipher import Context
from app.errors import EncryptionError
from app.gallery.index.storage.block import NOBODY, Halves, VectorBlock
from app.gallery.index.storage.codec import Codec
from app.gallery.index.storage.files import Part, digest_of, read_into, write_whole
from app.gallery.index.storage.snapshot_manifest import CodecFile, Segment
from app.gallery.index.storage.snapshot_origin import SnapshotOrigin
from app.types import Keys

# Numbers of float16 whose exponent bits are all set are infinite or no number.
_EXPONENT = np.uint16(0x7C00)


@dataclass(frozen=True, slots=True)
class BlockContent:
    """Copies of a block's rows: keys (n,), owners (n,), vectors (n, d)."""

    keys: Keys
    owners: Keys
    vectors: Halves

    @classmethod
    def of(cls, block: VectorBlock) -> "BlockContent":
        """Copy a block, so that it may change while the copy is written."""
        vectors = block.vectors[: block.count].astype(np.float16)
        return cls(block.keys[: block.count].copy(), block.owners[: block.count].copy(), vectors)

    @property
    def parts(self) -> list[NDArray[Any]]:
        """The arrays of the file, in order."""
        return [self.keys, self.owners, self.vectors]


def write_segment(folder: Path, content: BlockContent, origin: SnapshotOrigin) -> Segment:
    """Write a block's content (at least one row) to its own file; raises OSError if that fails."""
    parts, data_key_id = _sealed("segment", content.parts, origin)
    sha256 = digest_of(parts)
    segment = Segment(
        file=f"{sha256[:32]}.segment",
        sha256=sha256,
        first=int(content.keys.min()),
        last=int(content.keys.max()),
        rows=len(content.keys),
        data_key_id=data_key_id,
    )
    write_whole(folder / segment.file, parts)
    return segment


def read_segment(folder: Path, segment: Segment, block: VectorBlock, origin: SnapshotOrigin) -> bool:
    """Fill an empty block except for its codes, and return whether the file is undamaged."""
    keys, owners, vectors = block.keys[: segment.rows], block.owners[: segment.rows], block.vectors[: segment.rows]
    halves: Halves = vectors if vectors.dtype == np.float16 else np.empty(vectors.shape, np.float16)
    try:
        _read("segment", folder / segment.file, [keys, owners, halves], file=segment, origin=origin)
    except (OSError, ValueError, EncryptionError):
        return False
    if keys.min() < segment.first or keys.max() > segment.last or owners.min() < NOBODY or not _are_finite(halves):
        return False
    if halves is not vectors:
        vectors[:] = halves
    block.count = segment.rows
    return True


def is_there(folder: Path, segment: Segment, dimension: int) -> bool:
    """Say whether a segment's file, once written, is still in the folder: `forget` may have deleted it."""
    try:
        size = (folder / segment.file).stat().st_size
    except OSError:
        return False
    plain = segment.rows * (16 + 2 * dimension)
    return size == plain if segment.data_key_id is None else size > plain


def write_codec(folder: Path, codec: Codec, origin: SnapshotOrigin) -> CodecFile:
    """Write a codec to its own file, unless the file exists; raises OSError if that fails."""
    parts, data_key_id = _sealed("codec", codec.parts, origin)
    sha256 = digest_of(parts)
    path = folder / f"{sha256[:32]}.codec"
    if not path.exists():
        write_whole(path, parts)
    return CodecFile(file=path.name, sha256=sha256, groups=codec.groups, data_key_id=data_key_id)


def read_codec(folder: Path, file: CodecFile, dimension: int, origin: SnapshotOrigin) -> Codec | None:
    """Return a codec; None if the file is damaged."""
    try:
        data = np.empty(Codec.size(dimension, file.groups), np.uint8)
        _read("codec", folder / file.file, [data], file=file, origin=origin)
        return Codec.from_bytes(data.tobytes(), dimension, file.groups)
    except (OSError, ValueError, EncryptionError):
        return None


def _sealed(kind: str, parts: Sequence[NDArray[Any]], origin: SnapshotOrigin) -> tuple[Sequence[Part], int | None]:
    if origin.sealer is None:
        return parts, None
    data = b"".join(part.tobytes() for part in parts)
    sealed = origin.sealer.seal_file(Context(kind, origin.collection), data)
    return [sealed.data], sealed.data_key_id


def _read(
    kind: str, path: Path, parts: Sequence[NDArray[Any]], *, file: Segment | CodecFile, origin: SnapshotOrigin
) -> None:
    """Fill contiguous arrays with a file's content; raises as `read_into`, and EncryptionError if it does not open."""
    if (file.data_key_id is None) != (origin.sealer is None):
        raise ValueError("the file is sealed, or it should be")
    if origin.sealer is None:
        read_into(path, parts, file.sha256)
        return
    sealed = path.read_bytes()
    if digest_of([sealed]) != file.sha256:
        raise ValueError("the file's checksum is another")
    opened = memoryview(origin.sealer.open_file(Context(kind, origin.collection), sealed))
    if len(opened) != sum(part.nbytes for part in parts):
        raise ValueError("the file is of another size")
    for part in parts:
        part.reshape(-1).view(np.uint8)[:] = np.frombuffer(opened[: part.nbytes], np.uint8)
        opened = opened[part.nbytes :]


def _are_finite(vectors: Halves) -> bool:
    exponents = vectors.view(np.uint16) & _EXPONENT  # NumPy's isfinite is six times slower
    return bool((exponents != _EXPONENT).all())
