"""Snapshots: a folder with a manifest and one immutable file for each block; a save writes changed blocks only."""

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from app.disk import sync_folder
from app.errors import IndexUnusable
from app.gallery.index.storage.block import VectorBlock, widened
from app.gallery.index.storage.codec import Codec
from app.gallery.index.storage.files import LOCK, locked, sweep
from app.gallery.index.storage.folder_lock import ReadWriteLock
from app.gallery.index.storage.segments import BlockContent, is_there, read_segment, write_codec, write_segment
from app.gallery.index.storage.snapshot_manifest import CodecFile, Segment, SnapshotManifest, read_manifest
from app.gallery.index.storage.snapshot_origin import KeyRange, SnapshotOrigin
from app.types import Keys

# Segments read at once: reading, hashing and checking one are work for one core.
_READERS = 2


@dataclass(frozen=True, slots=True)
class ReadBlocks:
    """The blocks that could be read, each with its segment, and the key ranges of those that could not."""

    blocks: tuple[tuple[VectorBlock, Segment], ...]
    lost: tuple[KeyRange, ...]


class SavedBlocks:
    """Saved blocks: the version of each block and its file."""

    def __init__(self, kind: str, dimension: int) -> None:
        self._kind = kind
        self._dimension = dimension
        self._known: dict[VectorBlock, tuple[int, Segment]] = {}
        self._codec: tuple[Codec, CodecFile] | None = None

    def know(self, block: VectorBlock, segment: Segment) -> None:
        """Record that a block was just read from a segment."""
        self._known[block] = (block.version, segment)

    def save(
        self,
        folder: Path,
        blocks: list[VectorBlock],
        lock: ReadWriteLock,
        *,
        origin: SnapshotOrigin,
        revision: int,
        codec: Codec | None,
    ) -> None:
        """Write changed blocks, then the manifest, then delete older files, which may contain deleted faces.

        Each block is copied under the lock's reading side, one after the other. Raises OSError if a file cannot be
        written; the previous snapshot then stays valid.
        """
        with locked(folder):
            key = origin.sealer.newest() if origin.sealer is not None else None
            file = self._save_codec(folder, codec, origin, key) if codec is not None else None
            known = {b: each for b in blocks if (each := self._save_block(folder, b, lock, origin, key)) is not None}
            manifest = SnapshotManifest(
                kind=self._kind,
                model=origin.model,
                collection=origin.collection,
                dimension=self._dimension,
                revision=revision,
                codec=file,
                segments=[segment for _, segment in known.values()],
            )
            sync_folder(folder)
            manifest.write(folder)
            sync_folder(folder)
            sweep(folder, manifest.files)
        self._known = known

    def _save_codec(self, folder: Path, codec: Codec, origin: SnapshotOrigin, key: int | None) -> CodecFile:
        """Write the codec unless it exists; each encryption would give the same content another name."""
        known = self._codec
        is_known = known is not None and known[0] is codec and known[1].data_key_id == key
        if known is None or not is_known or not (folder / known[1].file).exists():
            known = self._codec = (codec, write_codec(folder, codec, origin))
        return known[1]

    def _save_block(
        self, folder: Path, block: VectorBlock, lock: ReadWriteLock, origin: SnapshotOrigin, key: int | None
    ) -> tuple[int, Segment] | None:
        with lock.reading():
            version, known = block.version, self._known.get(block)
            is_known = known is not None and known[0] == version and known[1].data_key_id == key
            if known is not None and is_known and is_there(folder, known[1], self._dimension):
                return known
            if not block.count:
                return None
            content = BlockContent.of(block)
        return version, write_segment(folder, content, origin)


def expect(folder: Path, *, kind: str, dimension: int, origin: SnapshotOrigin) -> SnapshotManifest:
    """Return the manifest of a folder; raises IndexUnusable unless it is of this kind, dimension and origin."""
    manifest = read_manifest(folder)
    found = (manifest.kind, manifest.dimension, manifest.model, manifest.collection)
    wanted = (kind, dimension, origin.model, origin.collection)
    if found != wanted:
        raise IndexUnusable(f"{folder} holds a snapshot of (kind, dimension, model, collection) {found}, not {wanted}")
    return manifest


def read_blocks(
    folder: Path, segments: Sequence[Segment], new_block: Callable[[], VectorBlock], origin: SnapshotOrigin
) -> ReadBlocks:
    """Read all segments, and encode the vectors of blocks that have codes."""

    def read(segment: Segment) -> VectorBlock | None:
        block = new_block()
        if not read_segment(folder, segment, block, origin):
            return None
        if block.codes is not None:
            block.codes.append(widened(block.vectors[: block.count]))
        return block

    with ThreadPoolExecutor(_READERS, "arcid-snapshot") as pool:
        blocks = list(pool.map(read, segments))
    pairs = list(zip(blocks, segments, strict=True))
    return ReadBlocks(
        tuple((block, segment) for block, segment in pairs if block is not None),
        tuple(KeyRange(segment.first, segment.last) for block, segment in pairs if block is None),
    )


def purge_keys(folder: Path, keys: Keys) -> int:
    """Delete every file that may contain one of these keys. `load` reports its range as lost; `save` writes it again.

    Return the number of deleted files. Waits for a save of the same folder. Without a readable manifest all files are
    deleted. Raises OSError if a file cannot be deleted.
    """
    if not folder.is_dir():
        return 0
    with locked(folder):
        try:
            manifest = read_manifest(folder)
        except IndexUnusable:
            return sweep(folder, set())
        held = {each.file for each in manifest.segments if ((keys >= each.first) & (keys <= each.last)).any()}
        return sweep(folder, manifest.files - held)


def purge_all(folder: Path) -> int:
    """Delete a snapshot, and its folder unless it has other files; return the number of files.

    Raises OSError if a file cannot be deleted.
    """
    with locked(folder):
        deleted = sweep(folder, set())
    if {path.name for path in folder.iterdir()} == {LOCK}:
        shutil.rmtree(folder)
    return deleted


def purge_plain(folder: Path) -> int:
    """Delete unencrypted snapshot files and return their number. Raises OSError if one cannot be deleted."""
    if not folder.is_dir():
        return 0
    with locked(folder):
        try:
            is_plain = read_manifest(folder).is_plain
        except IndexUnusable:
            is_plain = True
        return sweep(folder, set()) if is_plain else 0
