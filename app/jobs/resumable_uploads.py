"""Resumable uploads: files that arrive in parts and wait in the data folder until a job takes them or they expire."""

import json
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from app.disk import delete, make_folder, sync_folder
from app.errors import Overloaded, StorageNotWritable, UploadConflict, UploadTooLarge, UploadUnfinished, UploadUnknown
from app.jobs.upload_files import Writer, write_private

_ID = re.compile(r"[0-9a-f]{32}")
_KEPT_FREE = 500_000_000  # bytes of the disk that uploads leave to the database


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """Limits of uploads: bytes of one upload, bytes of all (also of files of waiting jobs), number of open uploads.

    An upload expires if it gets no part for the time `kept`.
    """

    most_bytes: int
    most_bytes_together: int
    most_open: int
    kept: timedelta


@dataclass(frozen=True, slots=True)
class ResumableUpload:
    """An upload: `offset` of `length` bytes are stored. `metadata` is what the client sent with it, unchanged."""

    upload_id: str
    length: int
    offset: int
    metadata: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Info:
    owner: str | None
    length: int
    metadata: str


class ResumableUploads:
    """Uploads in a private folder, two files each: the bytes so far, and what is known about them. Thread-safe.

    An upload belongs to its owner, the id of an API key. It lives on this machine only: see `Uploads.place`.
    """

    def __init__(self, folder: Path, limits: UploadLimits, taken_bytes: Callable[[], int]) -> None:
        """`taken_bytes` returns the size of the uploads that jobs have taken and not yet deleted."""
        self.limits = limits
        self._folder = folder
        self._taken_bytes = taken_bytes
        self._creating = threading.Lock()

    def create(self, owner: str | None, length: int, metadata: str) -> ResumableUpload:
        """Create an empty upload.

        Raises UploadTooLarge, Overloaded if too many or too large uploads exist, and StorageNotWritable if the disk
        has no room for it.
        """
        if length > self.limits.most_bytes:
            raise UploadTooLarge(f"at most {self.limits.most_bytes:,} bytes are accepted, not {length:,}")
        upload_id = uuid4().hex
        with self._creating:
            self.tidy()
            make_folder(self._folder, 0o700)
            self._require_room(length)
            write_private(self._about(upload_id), json.dumps([owner, length, metadata]).encode())
            write_private(self._bytes(upload_id), b"")
            sync_folder(self._folder)
        return self.get(upload_id, owner)

    def get(self, upload_id: str, owner: str | None) -> ResumableUpload:
        """Return an upload; raises UploadUnknown, also if it is somebody else's or has expired."""
        info = self._info(upload_id, owner)
        with _unknown_if_missing(upload_id):
            found = self._bytes(upload_id).stat()
        expires_at = datetime.fromtimestamp(found.st_mtime, UTC) + self.limits.kept
        if expires_at <= datetime.now(UTC):
            raise _unknown(upload_id)
        return ResumableUpload(upload_id, info.length, found.st_size, info.metadata, expires_at)

    def open(self, upload_id: str, owner: str | None, offset: int) -> Writer:
        """Open an upload to append at an offset.

        Raises UploadUnknown, and UploadConflict if it has another offset or another process writes to it.
        """
        upload = self.get(upload_id, owner)
        with _unknown_if_missing(upload_id):
            writer = Writer(self._bytes(upload_id), upload.length)
        if writer.offset != offset:
            writer.close()
            raise UploadConflict(f"the upload has {writer.offset:,} bytes; continue there, not at {offset:,}")
        os.utime(self._bytes(upload_id))  # the time until it expires starts again, also if nothing arrives
        return writer

    def delete(self, upload_id: str, owner: str | None) -> None:
        """Delete an upload; raises UploadUnknown."""
        self.get(upload_id, owner)
        self._drop(upload_id)

    @contextmanager
    def taking(self, upload_id: str, owner: str | None) -> Iterator[Path]:
        """Context manager: lock a complete upload and yield its path; inside, the caller may move the file away.

        Raises UploadUnknown, UploadUnfinished, or UploadConflict if somebody writes to it.
        """
        upload = self.get(upload_id, owner)
        writer = self.open(upload_id, owner, upload.offset)
        try:
            if writer.left:
                raise UploadUnfinished(f"the upload has {writer.offset:,} of {upload.length:,} bytes; send the rest")
            yield self._bytes(upload_id)
        finally:
            writer.close()
            if not self._bytes(upload_id).exists():
                self._drop(upload_id)

    def tidy(self) -> None:
        """Delete expired uploads, and files of uploads that were never complete."""
        oldest = time.time() - self.limits.kept.total_seconds()
        for each in self._folder.glob("*"):
            with suppress(FileNotFoundError):
                if each.stat().st_mtime < oldest and not (each.suffix == ".json" and self._bytes(each.stem).exists()):
                    self._drop(each.stem)

    def _require_room(self, length: int) -> None:
        files = list(self._folder.glob("*.part"))
        if len(files) >= self.limits.most_open:
            raise Overloaded(f"{len(files)} uploads are open, the most allowed; delete one, or wait until one expires")
        lengths = [self._length_of(each.stem) for each in files]
        if sum(lengths) + self._taken_bytes() + length > self.limits.most_bytes_together:
            raise Overloaded(
                f"open uploads and those of waiting jobs may have {self.limits.most_bytes_together:,} bytes together"
            )
        missing = sum(lengths) - sum(_size(each) for each in files) + length
        if shutil.disk_usage(self._folder).free < missing + _KEPT_FREE:
            raise StorageNotWritable("the disk has no room for this upload; make room on it, then try again")

    def _length_of(self, upload_id: str) -> int:
        try:
            return _Info(*json.loads(self._about(upload_id).read_bytes())).length
        except (OSError, ValueError, TypeError):
            return 0

    def _info(self, upload_id: str, owner: str | None) -> _Info:
        if not _ID.fullmatch(upload_id):
            raise _unknown(upload_id)
        with _unknown_if_missing(upload_id):
            info = _Info(*json.loads(self._about(upload_id).read_bytes()))
        if info.owner != owner:
            raise _unknown(upload_id)
        return info

    def _drop(self, upload_id: str) -> None:
        for path in (self._bytes(upload_id), self._about(upload_id)):
            delete(path)

    def _bytes(self, upload_id: str) -> Path:
        return self._folder / f"{upload_id}.part"

    def _about(self, upload_id: str) -> Path:
        return self._folder / f"{upload_id}.json"


def _unknown(upload_id: str) -> UploadUnknown:
    return UploadUnknown(
        f"no upload here has the id {upload_id!r}: it is used, deleted or expired, belongs to another API key, "
        "or is in the data folder of another machine; create a new one"
    )


@contextmanager
def _unknown_if_missing(upload_id: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, ValueError, TypeError) as error:
        raise _unknown(upload_id) from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
