"""Reader of portable archives, block by block. Archives are untrusted: every part is validated."""

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import ValidationError

from app.errors import ArchiveDamaged, ArchiveInvalid
from app.gallery.store.bulk import FaceBlock
from app.gallery.store.snapshot import MovedFace, MovedPerson
from app.transfer.archive_format import (
    FACES,
    FORMAT,
    IDENTITIES,
    MEMBERS,
    VECTOR,
    VECTORS,
    VERSION,
    ArchiveManifest,
    FaceLine,
    IdentityLine,
    check_vectors,
)
from app.transfer.zip_files import ArchiveSchema, Reading, reading
from app.types import Floats

Line = TypeVar("Line", bound=ArchiveSchema)

_LONGEST_LINE = 1 << 17
_LONGEST_HEAD = 8192
_FACES_AT_ONCE = 2000
_UNIT = 1e-3


class Archive:
    """An open archive. `manifest` is its content list, `sha256` the manifest's hash."""

    def __init__(self, archive: Reading) -> None:
        data, self.sha256 = archive.manifest(format_name=FORMAT, version=VERSION)
        try:
            self.manifest = ArchiveManifest.model_validate_json(data)
        except ValidationError as error:
            raise ArchiveInvalid(f"manifest.json: {_first(error)}") from error
        self._archive = archive

    def verify(self, check: Callable[[FaceBlock], None]) -> None:
        """Read and check all members; call this before using any content.

        `check` is called with each block, and may raise an error. Raises ArchiveDamaged or ArchiveInvalid.
        """
        self._archive.verify(self.manifest.members)
        for _, block in self.blocks():
            check(block)

    def blocks(self) -> Iterator[tuple[int, FaceBlock]]:
        """Yield the content in blocks of some thousand faces, each with the number of faces read so far.

        Raises ArchiveInvalid if the content breaks the format, and ArchiveDamaged as `verify` does.
        """
        seen_people, seen_faces = _Seen("identity"), _Seen("face")
        with self._vectors() as vectors:
            faces = self._faces(seen_faces)
            gathered, done, people = _Gathered(), 0, 0
            face = next(faces, None)
            for people, person in enumerate(self._people(seen_people), 1):  # noqa: B007 - used below
                is_faceless = face is None or face.identity_id != person.identity_id
                (gathered.faceless if is_faceless else gathered.people).append(person)
                while face is not None and face.identity_id == person.identity_id:
                    if len(gathered.faces) == _FACES_AT_ONCE:
                        done += len(gathered.faces)
                        yield done, gathered.block(vectors)
                        gathered = _Gathered([person])
                    gathered.faces.append(face)
                    face = next(faces, None)
                if gathered.is_full():
                    done += len(gathered.faces)
                    yield done, gathered.block(vectors)
                    gathered = _Gathered()
            done += len(gathered.faces)
            if face is not None:
                raise ArchiveInvalid(f"{FACES}: face {face.face_id!r} is not next to the other faces of its person")
            if (people, done) != (self.manifest.identities, self.manifest.faces):
                raise ArchiveInvalid("the archive has fewer identities or faces than its manifest states")
            seen_people.check()
            seen_faces.check()
            yield done, gathered.block(vectors)

    def _people(self, seen: "_Seen") -> Iterator[MovedPerson]:
        for line in self._lines(IDENTITIES, IdentityLine, self.manifest.identities):
            seen.add(line.identity_id)
            yield line.value()

    def _faces(self, seen: "_Seen") -> Iterator[MovedFace]:
        for row, line in enumerate(self._lines(FACES, FaceLine, self.manifest.faces)):
            if line.row != row:
                raise ArchiveInvalid(f"{FACES}: line {row + 1} has row {line.row}")
            seen.add(line.face_id)
            yield line.value()

    def _lines(self, name: str, schema: type[Line], most: int) -> Iterator[Line]:
        with self._archive.member(name) as stream:
            number = 0
            while line := stream.readline(_LONGEST_LINE + 1):
                number += 1
                if len(line) > _LONGEST_LINE:
                    raise ArchiveInvalid(f"{name}: line {number} is too long")
                if number > most:
                    raise ArchiveInvalid(f"{name} has more lines than the manifest states")
                try:
                    parsed = schema.model_validate_json(line)
                except ValidationError as error:
                    raise ArchiveInvalid(f"{name}: line {number}: {_first(error)}") from error
                yield parsed

    @contextmanager
    def _vectors(self) -> Iterator["_Vectors"]:
        manifest = self.manifest
        rows, dimension = manifest.faces, manifest.network.dimension
        with self._archive.member(VECTORS) as stream:
            head = stream.read(_LONGEST_HEAD)
            length = check_vectors(head, self._archive.sizes[VECTORS], rows=rows, dimension=dimension)
        with self._archive.member(VECTORS) as stream:
            stream.read(length)
            yield _Vectors(stream, dimension)


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a portable archive; raises FileUnusable, or a child of ArchiveRefused if it is not a valid archive."""
    with reading(path, MEMBERS.__contains__) as archive:
        if missing := set(MEMBERS) - set(archive.sizes):
            raise ArchiveInvalid(f"the file is not an ArcID archive: it has no {min(missing)}")
        yield Archive(archive)


@dataclass(slots=True)
class _Gathered:
    """The block that is being assembled."""

    people: list[MovedPerson] = field(default_factory=list)
    faces: list[MovedFace] = field(default_factory=list)
    faceless: list[MovedPerson] = field(default_factory=list)

    def is_full(self) -> bool:
        return max(len(self.faces), len(self.people) + len(self.faceless)) >= _FACES_AT_ONCE

    def block(self, vectors: "_Vectors") -> FaceBlock:
        return FaceBlock(self.people, self.faces, vectors.read(len(self.faces)), self.faceless)


class _Vectors:
    """A reader of the rows of vectors.npy, in order."""

    def __init__(self, stream: io.BufferedReader, dimension: int) -> None:
        self._stream = stream
        self._dimension = dimension
        self._row = 0

    def read(self, rows: int) -> Floats:
        """Return the next `rows` unit vectors (n, d)."""
        data = self._stream.read(rows * self._dimension * VECTOR.itemsize)
        if len(data) != rows * self._dimension * VECTOR.itemsize:
            raise ArchiveDamaged(f"{VECTORS} is truncated")
        vectors = np.frombuffer(data, VECTOR).reshape(rows, self._dimension).astype(np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            is_unit = np.abs(np.linalg.norm(vectors.astype(np.float64), axis=1) - 1) <= _UNIT  # False for NaN
        if not is_unit.all():
            row = self._row + int(np.flatnonzero(~is_unit)[0])
            raise ArchiveInvalid(f"{VECTORS}: row {row} is not a vector of length 1")
        self._row += rows
        return vectors


class _Seen:
    """A detector of repeated ids, at 16 bytes an id."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._digests = bytearray()

    def add(self, text: str) -> None:
        self._digests += hashlib.blake2b(text.encode(), digest_size=16).digest()

    def check(self) -> None:
        digests = np.frombuffer(self._digests, np.dtype("V16"))
        halves = digests.view(np.uint64).reshape(-1, 2)
        order = np.lexsort((halves[:, 1], halves[:, 0]))
        ordered = halves[order]
        if (ordered[1:] == ordered[:-1]).all(axis=1).any():
            raise ArchiveInvalid(f"the id of a {self._what} occurs twice")


def _first(error: ValidationError) -> str:
    """Return the first validation error and its place, without the value."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else str(first["msg"])
