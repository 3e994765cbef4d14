"""The format of a portable archive: the schemas of its files (see docs/archive-format.md)."""

import io
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints

from app.errors import ArchiveInvalid
from app.gallery.store.consent import stored
from app.gallery.store.snapshot import MovedFace, MovedPerson
from app.gallery.store.values import CollectionSettings, Consent
from app.names import CollectionName, FaceId, IdentityId, KeptName, nfc_json, with_current_names
from app.transfer.zip_files import ArchiveSchema, Member

FORMAT, VERSION = "arcid-collection", 1
IDENTITIES, FACES, VECTORS = "identities.ndjson", "faces.ndjson", "vectors.npy"
MEMBERS = (IDENTITIES, FACES, VECTORS)
VECTOR = np.dtype("<f4")
LONGEST_METADATA = 65_536  # four times the limit of a request, because a merge combines the metadata of both people
_LONGEST_HEADER = 4096


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    try:
        if len(json.dumps(value, allow_nan=False)) > LONGEST_METADATA:
            raise ValueError(f"metadata must have at most {LONGEST_METADATA} characters as JSON")
        json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair cannot be sent in an answer
        normalized: dict[str, Any] = nfc_json(value)
    except RecursionError as error:
        raise ValueError("metadata is nested too deeply") from error
    return normalized


Metadata = Annotated[dict[str, Any], AfterValidator(_metadata)]
Model = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Point = tuple[float, float]


class CollectionPart(ArchiveSchema):
    """The exported collection and its revision."""

    name: CollectionName
    uid: str = Field(max_length=36)
    revision: int = Field(ge=0)
    created_at: AwareDatetime
    practice: Annotated[CollectionSettings, BeforeValidator(with_current_names)]


class NetworkPart(ArchiveSchema):
    """The network of the vectors, with the SHA-256 of its file if known."""

    model: Model
    dimension: int = Field(ge=2, le=4096)
    sha256: Sha256 | None


class ArchiveManifest(ArchiveSchema):
    """The content of manifest.json."""

    format: Literal["arcid-collection"]
    format_version: Literal[1]
    arcid_version: str
    created_at: AwareDatetime
    collection: CollectionPart
    network: NetworkPart
    identities: int = Field(ge=0)
    faces: int = Field(ge=0)
    members: dict[str, Member]


class IdentityLine(ArchiveSchema):
    """A line of identities.ndjson."""

    identity_id: IdentityId
    name: KeptName | None
    metadata: Metadata
    created_at: AwareDatetime
    updated_at: AwareDatetime
    consent: Consent | None = None
    enrolled_at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None

    def value(self) -> MovedPerson:
        """Return the line as a value."""
        return MovedPerson(
            self.identity_id,
            self.name,
            self.metadata,
            self.created_at,
            self.updated_at,
            None if self.consent is None else stored(self.consent),
            self.enrolled_at,
            self.expires_at,
        )


class FaceLine(ArchiveSchema):
    """A line of faces.ndjson. `row` is its row in vectors.npy, and its position in the file."""

    row: int = Field(ge=0)
    face_id: FaceId
    identity_id: IdentityId
    quality: Share | None
    norm: float = Field(ge=0)
    box: tuple[float, float, float, float]
    landmarks: tuple[Point, Point, Point, Point, Point]
    detection_score: Share
    image_sha256: Sha256
    created_at: AwareDatetime

    def value(self) -> MovedFace:
        """Return the line as a value."""
        return MovedFace(
            self.face_id,
            self.identity_id,
            self.quality,
            self.norm,
            self.box,
            self.landmarks,
            self.detection_score,
            self.image_sha256,
            self.created_at,
        )


def identity_line(person: MovedPerson) -> bytes:
    """Return the line of a person."""
    return _line(
        {
            "identity_id": person.identity_id,
            "name": person.name,
            "metadata": dict(person.metadata or {}),
            "created_at": person.created_at.isoformat(),
            "updated_at": person.updated_at.isoformat(),
            "consent": person.consent,
            "enrolled_at": _moment(person.enrolled_at),
            "expires_at": _moment(person.expires_at),
        }
    )


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def face_line(face: MovedFace, row: int) -> bytes:
    """Return the line of a face."""
    return _line(
        {
            "row": row,
            "face_id": face.face_id,
            "identity_id": face.identity_id,
            "quality": face.quality,
            "norm": face.norm,
            "box": face.box,
            "landmarks": face.landmarks,
            "detection_score": face.detection_score,
            "image_sha256": face.image_sha256,
            "created_at": face.created_at.isoformat(),
        }
    )


def _line(members: Mapping[str, Any]) -> bytes:
    return json.dumps(members, separators=(",", ":")).encode() + b"\n"


def vectors_header(rows: int, dimension: int) -> bytes:
    """Return the header of vectors.npy: NumPy's format, version 1.0."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": VECTOR.str, "fortran_order": False, "shape": (rows, dimension)}
    )
    return header.getvalue()


def check_vectors(begin: bytes, size: int, *, rows: int, dimension: int) -> int:
    """Return the length of the header of a vectors.npy with `size` bytes; raises ArchiveInvalid if it is malformed.

    Nothing is executed: the dtype check refuses an array of objects (a pickle).
    """
    stream = io.BytesIO(begin)
    try:
        version = np.lib.format.read_magic(stream)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, is_fortran, dtype = read(stream, max_header_size=_LONGEST_HEADER)
    except Exception as error:
        raise ArchiveInvalid(f"{VECTORS} is not an array that NumPy can read") from error
    if dtype != VECTOR or dtype.hasobject or is_fortran:
        raise ArchiveInvalid(f"{VECTORS} must hold little-endian float32, row by row")
    if shape != (rows, dimension) or size != stream.tell() + rows * dimension * VECTOR.itemsize:
        raise ArchiveInvalid(f"{VECTORS} must be {rows} x {dimension}, as the manifest states")
    return stream.tell()
