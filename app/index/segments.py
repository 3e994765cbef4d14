"""The files of a snapshot: one for each block, immutable and named by its content, and one for the codec."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.index.block import Block, Bytes, Halves
from app.index.codec import Codec
from app.index.files import digest_of, read_into, write_whole
from app.index.manifest import CodecFile, Segment
from app.index.protocol import Keys

# Numbers of float16 whose exponent bits are all set are infinite or no number.
_EXPONENT = np.uint16(0x7C00)


@dataclass(frozen=True, slots=True)
class Content:
    """Copies of a block's rows: keys (n,), vectors (n, d), packed codes (bytes)."""

    keys: Keys
    vectors: Halves
    codes: Bytes

    @classmethod
    def of(cls, block: Block) -> "Content":
        """Copy a block, so that it may change while the copy is written."""
        vectors = block.vectors[: block.count].astype(np.float16)
        codes = block.codes.packed() if block.codes is not None else np.empty(0, np.uint8)
        return cls(block.keys[: block.count].copy(), vectors, codes)

    @property
    def parts(self) -> list[NDArray[Any]]:
        """What the file consists of."""
        return [self.keys, self.vectors, self.codes]


def write_segment(folder: Path, content: Content) -> Segment:
    """Write a block's content (at least one row) to a file of its own; raises OSError."""
    sha256 = digest_of(content.parts)
    segment = Segment(
        file=f"{sha256[:32]}.segment",
        sha256=sha256,
        first=int(content.keys.min()),
        last=int(content.keys.max()),
        rows=len(content.keys),
        code_bytes=len(content.codes),
    )
    write_whole(folder / segment.file, content.parts)
    return segment


def read_segment(folder: Path, segment: Segment, block: Block) -> Bytes | None:
    """Fill an empty block, but for its codes, and return those packed; None if the file cannot be trusted."""
    codes = np.empty(segment.code_bytes, np.uint8)
    keys, vectors = block.keys[: segment.rows], block.vectors[: segment.rows]
    halves: Halves = vectors if vectors.dtype == np.float16 else np.empty(vectors.shape, np.float16)
    try:
        read_into(folder / segment.file, [keys, halves, codes], segment.sha256)
    except (OSError, ValueError):
        return None
    if keys.min() < segment.first or keys.max() > segment.last or not _are_finite(halves):
        return None
    if halves is not vectors:
        vectors[:] = halves
    block.count = segment.rows
    return codes


def is_there(folder: Path, segment: Segment, dimension: int) -> bool:
    """Say whether a segment's file, once written, is still in the folder: `forget` may have deleted it."""
    try:
        size = (folder / segment.file).stat().st_size
    except OSError:
        return False
    return size == segment.rows * (8 + 2 * dimension) + segment.code_bytes


def write_codec(folder: Path, codec: Codec) -> CodecFile:
    """Write a codec to a file of its own, unless it is there already; raises OSError."""
    sha256 = digest_of(codec.parts)
    path = folder / f"{sha256[:32]}.codec"
    if not path.exists():
        write_whole(path, codec.parts)
    return CodecFile(file=path.name, sha256=sha256, groups=codec.groups)


def read_codec(folder: Path, file: CodecFile, dimension: int) -> Codec | None:
    """Return a codec; None if the file cannot be trusted."""
    try:
        data = np.empty(Codec.size(dimension, file.groups), np.uint8)
        read_into(folder / file.file, [data], file.sha256)
        return Codec.from_bytes(data.tobytes(), dimension, file.groups)
    except (OSError, ValueError):
        return None


def _are_finite(vectors: Halves) -> bool:
    exponents = vectors.view(np.uint16) & _EXPONENT  # NumPy's isfinite is six times slower
    return bool((exponents != _EXPONENT).all())
