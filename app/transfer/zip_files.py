"""ZIP files with a manifest: written as a stream with the SHA-256 of each member, and read as untrusted input.

Only members with expected names are read. None is unpacked beyond its stated size, and a stated size that is
implausible for the compressed bytes is refused.
"""

import hashlib
import io
import json
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from pydantic import BaseModel, ConfigDict, Field

from app.disk import rename
from app.errors import ArchiveDamaged, ArchiveInvalid, ArchiveTooNew, FileUnusable, StorageNotWritable
from app.transfer import temporary_files as scratch
from app.transfer.file_signatures import format_named

MANIFEST = "manifest.json"
LONGEST_MANIFEST = 1 << 20
_READ_AT_ONCE = 1 << 20
_MOST_AT_ONCE = 1 << 22  # maximum single read: the ZIP reader reads the whole directory at once
_PLAUSIBLE_RATIO, _RATIO_FROM = 250, 1 << 20
_LEVEL = 1  # compresses text well; higher levels are slower than the disk
_ENCRYPTED = 0x1


class ArchiveSchema(BaseModel):
    """The base of archive schemas: unknown members are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Member(ArchiveSchema):
    """A file in an archive: its unpacked size and SHA-256."""

    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Writing:
    """A writer of members, one after the other. `members` describes the finished ones."""

    def __init__(self, archive: ZipFile) -> None:
        self.members: dict[str, Member] = {}
        self._archive = archive

    @contextmanager
    def member(self, name: str, *, is_stored: bool = False) -> Iterator[Callable[[bytes | memoryview], None]]:
        """Open a new member for writing. `is_stored`: uncompressed."""
        digest, size = hashlib.sha256(), 0
        info = ZipInfo(name) if is_stored else name
        with self._archive.open(info, "w", force_zip64=True) as stream:

            def write(data: bytes | memoryview) -> None:
                nonlocal size
                digest.update(data)
                size += len(data)
                stream.write(data)

            yield write
        self.members[name] = Member(size=size, sha256=digest.hexdigest())

    def file(self, name: str, path: Path, written: Callable[[int], None] | None = None) -> None:
        """Add an existing file; `written` is called with the number of bytes added."""
        done = 0
        with path.open("rb") as source, self.member(name, is_stored=True) as write:
            while data := source.read(_READ_AT_ONCE):
                write(data)
                done += len(data)
                if written is not None:
                    written(done)

    def manifest(self, manifest: BaseModel) -> None:
        """Write the manifest, which comes last."""
        self._archive.writestr(ZipInfo(MANIFEST), manifest.model_dump_json(indent=1))


@contextmanager
def writing(path: Path) -> Iterator[Writing]:
    """Write an archive to a new file, readable only by its owner; it gets the name `path` once it is on the disk.

    Leftovers of a killed process are deleted. Raises StorageNotWritable, or FileUnusable for any other problem.
    """
    try:
        with scratch.new_file(path.parent, f".{path.name}-") as file:
            with ZipFile(file, "w", ZIP_DEFLATED, allowZip64=True, compresslevel=_LEVEL) as archive:
                yield Writing(archive)
            file.flush()
            os.fsync(file.fileno())
            rename(Path(file.name), path)
    except OSError as error:
        storage = StorageNotWritable.of(error)
        raise storage or FileUnusable(f"{path} cannot be written", str(error)) from error


class Reading:
    """An archive whose members have expected names."""

    def __init__(self, archive: ZipFile) -> None:
        self.sizes = {info.filename: info.file_size for info in archive.infolist()}
        self._archive = archive

    @contextmanager
    def member(self, name: str) -> Iterator[io.BufferedReader]:
        """Open a member; reading raises ArchiveDamaged if its bytes fail the CRC check."""
        with _translated(), self._archive.open(name) as stream:
            yield io.BufferedReader(cast("io.RawIOBase", stream), _READ_AT_ONCE)

    def manifest(self, *, format_name: str, version: int) -> tuple[bytes, str]:
        """Return the manifest's bytes and SHA-256; raises ArchiveInvalid or ArchiveTooNew by its stated format."""
        if self.sizes[MANIFEST] > LONGEST_MANIFEST:
            raise ArchiveInvalid(f"{MANIFEST} is too long")
        with self.member(MANIFEST) as stream:
            data = stream.read()
        try:
            said = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ArchiveInvalid(f"{MANIFEST} is not JSON") from error
        if not isinstance(said, dict) or said.get("format") != format_name:
            raise ArchiveInvalid(f"the file is not an archive of the format {format_name}")
        found = said.get("format_version")
        if isinstance(found, int) and found > version:
            raise ArchiveTooNew(f"the archive has format version {found}, this ArcID reads up to {version}")
        return data, hashlib.sha256(data).hexdigest()

    def verify(self, members: dict[str, Member], read: Callable[[int], None] | None = None) -> None:
        """Raise ArchiveInvalid if the members differ from these, or ArchiveDamaged if their bytes do.

        `read` is called with the number of bytes read.
        """
        if set(members) | {MANIFEST} != set(self.sizes):
            raise ArchiveInvalid(f"{MANIFEST} does not list exactly the members of the archive")
        done = 0
        for name, expected in members.items():
            digest = hashlib.sha256()
            if self.sizes[name] != expected.size:
                raise ArchiveDamaged(f"{name} has another size than {MANIFEST} states")
            with self.member(name) as stream:
                while data := stream.read(_READ_AT_ONCE):
                    digest.update(data)
                    done += len(data)
                    if read is not None:
                        read(done)
            if digest.hexdigest() != expected.sha256:
                raise ArchiveDamaged(f"{name} has another checksum than {MANIFEST} states")


@contextmanager
def reading(path: Path, is_expected: Callable[[str], bool]) -> Iterator[Reading]:
    """Open an archive; raises FileUnusable, or ArchiveInvalid for unexpected members and ZIP bombs."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise FileUnusable(f"{path} cannot be read", str(error)) from error
    with file:
        head = file.read(16)
        if not head.startswith(b"PK") and (other := format_named(head)):
            raise ArchiveInvalid(f"the file is {other}, not an archive of ArcID, which is a ZIP file")
        file.seek(0)
        with _translated():
            archive = ZipFile(cast("BinaryIO", _Bounded(file)))
        with archive:
            _check(archive.infolist(), is_expected)
            yield Reading(archive)


def _check(infos: list[ZipInfo], is_expected: Callable[[str], bool]) -> None:
    names = [info.filename for info in infos]
    if MANIFEST not in names:
        raise ArchiveInvalid(f"the file is not an ArcID archive or backup: it has no {MANIFEST}")
    if len(set(names)) != len(names):
        raise ArchiveInvalid("a member of the file occurs twice")
    for info in infos:
        # The directory's own spelling: ZipInfo truncates a name at a NUL and converts separators.
        if info.orig_filename != info.filename or not (info.filename == MANIFEST or is_expected(info.filename)):
            raise ArchiveInvalid(f"the file has an unexpected member: {info.orig_filename[:80]!r}")
        if info.flag_bits & _ENCRYPTED or info.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
            raise ArchiveInvalid(f"{info.filename} is encrypted, or not compressed by deflate")
        if info.file_size > max(_PLAUSIBLE_RATIO * info.compress_size, _RATIO_FROM):
            raise ArchiveInvalid(f"{info.filename} unpacks to an implausible size")


class _Bounded:
    """A file that refuses reads of a dangerous size."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(size, _MOST_AT_ONCE + 1) if size >= 0 else _MOST_AT_ONCE + 1)
        if len(data) > _MOST_AT_ONCE:
            raise BadZipFile("its directory is too long")
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except BadZipFile as error:
        message = str(error)
        if "CRC" in message:
            raise ArchiveDamaged(f"the file is damaged: {message}") from error
        raise ArchiveInvalid(f"the file is not a ZIP archive, or is truncated: {message}") from error
    except (zlib.error, EOFError) as error:
        raise ArchiveDamaged("the file is damaged: a member cannot be unpacked") from error
    except (NotImplementedError, UnicodeDecodeError, OverflowError, ValueError) as error:
        raise ArchiveInvalid("the file is not a readable ZIP archive") from error
