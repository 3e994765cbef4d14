"""Import of embeddings from elsewhere, one JSON object per line, into a collection of the same network."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO
from uuid import NAMESPACE_OID, uuid5

import numpy as np
from pydantic import Field, ValidationError

from app.errors import FileUnusable, LowQuality, ModelMismatch
from app.gallery.store.bulk import BulkWriter, FaceBlock
from app.gallery.store.identities import IdentityStore
from app.gallery.store.snapshot import MovedFace, MovedPerson
from app.gallery.store.values import Collection
from app.jobs.progress import Progress
from app.names import IdentityId, PersonName
from app.transfer.archive_format import Metadata, Share
from app.transfer.archive_import import refuse_erased
from app.transfer.file_signatures import format_named
from app.transfer.zip_files import ArchiveSchema
from app.types import Floats

LINE_INVALID, EMBEDDING_INVALID = "line_invalid", "embedding_invalid"
NO_PHOTO = "0" * 64
"""Used as SHA-256 of the photo, because the photo is unknown."""

_LONGEST_LINE = 1 << 18
_LINES_AT_ONCE = 2000
_READ_AT_ONCE = 1 << 20
_LEAST_LENGTH = 1e-6


class EmbeddingLine(ArchiveSchema):
    """A line: the identity, its vector (any length but 0), and optional facts about the face."""

    identity_id: IdentityId
    name: PersonName | None = None
    metadata: Metadata | None = None
    embedding: Annotated[list[float], Field(min_length=2, max_length=4096)]
    quality: Share | None = None
    norm: Annotated[float, Field(gt=0)] | None = None


@dataclass(frozen=True, slots=True)
class EmbeddingsImported:
    """The result of an import: new faces and people, existing faces, and refused lines."""

    faces: int = 0
    identities: int = 0
    skipped: int = 0
    refused: int = 0


class EmbeddingsImport:
    """Imports files of embeddings."""

    def __init__(
        self, store: IdentityStore, incoming: BulkWriter, *, catch_up: Callable[[Collection, int], None]
    ) -> None:
        """Create an importer. `catch_up` is called after each block to update the collection's index to a revision."""
        self._store = store
        self._incoming = incoming
        self._catch_up = catch_up

    def run(self, path: Path, progress: Progress, *, collection: str, model: str) -> EmbeddingsImported:
        """Import a file into an existing collection; `model` is the network that made the embeddings.

        An invalid line is refused with its number, and the others are imported. A face's id is derived from the
        collection, the identity and the vector, so importing a file again adds no face twice. Progress counts lines.
        Raises CollectionUnknown, ModelMismatch or FileUnusable.
        """
        try:
            with path.open("rb") as file:
                if other := format_named(file.read(16)):
                    raise FileUnusable(f"{path} is {other}, not a file of embeddings, one JSON object per line")
                file.seek(0)
                return self._read(file, self._target(collection, model), progress)
        except OSError as error:
            raise FileUnusable(f"{path} cannot be read", str(error)) from error

    def _target(self, collection: str, model: str) -> Collection:
        into = self._store.collection(collection)
        if model != into.model:
            raise ModelMismatch(
                f"the embeddings come from {model}, but collection {collection!r} uses {into.model}; embeddings of "
                "different networks cannot be compared: use a collection of that network, or embed the photos again"
            )
        return into

    def _read(self, file: BinaryIO, into: Collection, progress: Progress) -> EmbeddingsImported:
        total = _count(file)
        mark = {"collection": into.key, "total": total}
        earlier = progress.checkpoint if mark.items() <= progress.checkpoint.items() else {}
        number = earlier.get("lines", 0)
        file.seek(earlier.get("offset", 0))
        progress.advance(number, total=total)
        counts = EmbeddingsImported(**earlier.get("counts", {}))
        is_more = True
        while is_more:
            usable: list[_Usable] = []
            for _ in range(_LINES_AT_ONCE):
                line = file.readline(_LONGEST_LINE + 1)
                is_more = bool(line)
                if not line:
                    break
                number += 1
                try:
                    if line.strip():
                        usable.append(_usable(_said(line, file), into))
                except _RefusedError as error:
                    counts = replace(counts, refused=counts.refused + 1)
                    progress.refuse(f"line {number}", error.code, error.detail)
            added = self._incoming.add(into, _block(usable, into), origin={"file": "embeddings"}, is_updating=True)
            if added.revision:
                self._catch_up(into, added.revision)
            refuse_erased(progress, added.erased)
            counts = replace(
                counts,
                faces=counts.faces + added.faces,
                identities=counts.identities + added.identities,
                skipped=counts.skipped + len(usable) - added.faces,
            )
            reached = {"lines": number, "offset": file.tell(), "counts": asdict(counts)}
            progress.advance(number, total=total, checkpoint={**mark, **reached})
        return counts


class _RefusedError(Exception):
    """A refused line: an error code and the reason."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def _said(line: bytes, file: BinaryIO) -> EmbeddingLine:
    """Parse a line; skips the rest of an overlong line in the file. Raises _RefusedError if it is not valid."""
    if len(line) > _LONGEST_LINE:
        _skip_rest(line, file)
        raise _RefusedError(LINE_INVALID, f"the line has more than {_LONGEST_LINE} bytes")
    try:
        return EmbeddingLine.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise _RefusedError(LINE_INVALID, f"{place}: {first['msg']}" if place else first["msg"]) from error


def _usable(said: EmbeddingLine, into: Collection) -> "_Usable":
    """Validate a line for a collection; raises _RefusedError if the collection cannot take it."""
    if len(said.embedding) != into.dimension:
        raise _RefusedError(EMBEDDING_INVALID, f"the embedding has {len(said.embedding)} numbers, not {into.dimension}")
    raw = np.array(said.embedding)
    with np.errstate(over="ignore"):
        length = float(np.linalg.norm(raw))
    if not _LEAST_LENGTH < length < np.inf:
        raise _RefusedError(EMBEDDING_INVALID, "the embedding's length is 0 or not finite")
    least = into.settings.enroll_quality
    if said.quality is not None and said.quality < least:
        raise _RefusedError(LowQuality.code, f"quality {said.quality:g} is below the collection's minimum, {least:g}")
    return _Usable(said, np.asarray(raw / length, np.float32), length if said.norm is None else said.norm)


@dataclass(frozen=True, slots=True)
class _Usable:
    """A valid line with its unit vector (d,) and its norm."""

    said: EmbeddingLine
    vector: Floats
    norm: float


def _skip_rest(line: bytes, file: BinaryIO) -> None:
    while line and not line.endswith(b"\n"):
        line = file.readline(_LONGEST_LINE)


def _block(usable: list[_Usable], into: Collection) -> FaceBlock:
    """Return the people of a block, each once with the last stated name and metadata, and their faces, each once."""
    now = datetime.now(UTC)
    people: dict[str, MovedPerson] = {}
    faces: dict[str, tuple[MovedFace, Floats]] = {}
    for each in usable:
        said = each.said
        known = people.get(said.identity_id)
        name = said.name if said.name is not None or known is None else known.name
        metadata = said.metadata if said.metadata is not None or known is None else known.metadata
        people[said.identity_id] = MovedPerson(said.identity_id, name, metadata, now, now)
        face = _face(each, into, now)
        faces.setdefault(face.face_id, (face, each.vector))
    vectors = [vector for _, vector in faces.values()]
    stacked = np.stack(vectors) if vectors else np.empty((0, into.dimension), np.float32)
    return FaceBlock(list(people.values()), [face for face, _ in faces.values()], stacked)


def _face(of: _Usable, into: Collection, now: datetime) -> MovedFace:
    content = f"arcid:{into.name}:{of.said.identity_id}:{of.vector.tobytes().hex()}"
    return MovedFace(
        str(uuid5(NAMESPACE_OID, content)),
        of.said.identity_id,
        of.said.quality,
        of.norm,
        (0.0, 0.0, 0.0, 0.0),
        ((0.0, 0.0),) * 5,
        0.0,
        NO_PHOTO,
        now,
    )


def _count(file: BinaryIO) -> int:
    """Return the number of lines in a file."""
    lines, last = 0, b"\n"
    while data := file.read(_READ_AT_ONCE):
        lines, last = lines + data.count(b"\n"), data[-1:]
    return lines + (last != b"\n")
