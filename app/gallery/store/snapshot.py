"""Export of a whole collection from one consistent snapshot, and its exported values."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, select
from sqlalchemy.orm import Session

from app.database import audit
from app.database.audit import Action
from app.database.tables import CollectionTable, FaceTable, IdentityTable
from app.database.vault import Vault
from app.gallery.store import rows
from app.gallery.store.values import Collection, JsonObject
from app.types import Box, Floats

_READ_AT_ONCE = 1000
_FACES = (
    select()
    .select_from(IdentityTable)
    .join(FaceTable, FaceTable.identity_key == IdentityTable.id)
    .order_by(IdentityTable.id, FaceTable.id)
)


@dataclass(frozen=True, slots=True)
class MovedPerson:
    """An exported or imported identity; None keeps a stored value."""

    identity_id: str
    name: str | None
    metadata: JsonObject | None
    created_at: datetime
    updated_at: datetime
    consent: JsonObject | None = None
    """In its stored form: see `app.gallery.store.consent`."""
    enrolled_at: datetime | None = None
    """Time of the last enrollment; None: same as `updated_at`."""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MovedFace:
    """An exported or imported face without its vector. Quality is None for faces from versions without qualities."""

    face_id: str
    identity_id: str
    quality: float | None
    norm: float
    box: Box
    landmarks: tuple[tuple[float, float], ...]
    detection_score: float
    image_sha256: str
    created_at: datetime


class Snapshot:
    """A consistent snapshot of a collection; people and faces in the order of enrollment.

    At most some thousand rows are held in memory.
    """

    def __init__(self, connection: Connection, collection: Collection, created_at: datetime, vault: Vault) -> None:
        self._vault = vault
        self.collection = collection
        self.created_at = created_at
        self._connection = connection

    def people(self) -> Iterator[MovedPerson]:
        """Yield all identities."""
        query = select(
            IdentityTable.identity_id,
            IdentityTable.name,
            IdentityTable.metadata_.label("person_metadata"),
            IdentityTable.created_at,
            IdentityTable.updated_at,
            IdentityTable.consent,
            IdentityTable.enrolled_at,
            IdentityTable.expires_at,
        )
        ordered = query.where(IdentityTable.collection_id == self.collection.key).order_by(IdentityTable.id)
        for row in self._rows(ordered):
            yield MovedPerson(
                row.identity_id,
                row.name,
                row.person_metadata,
                row.created_at,
                row.updated_at,
                row.consent,
                row.enrolled_at,
                row.expires_at,
            )

    def faces(self) -> Iterator[MovedFace]:
        """Yield all faces: those of the first identity, then those of the second."""
        query = _FACES.add_columns(
            FaceTable.face_id,
            IdentityTable.identity_id,
            FaceTable.quality,
            FaceTable.norm,
            FaceTable.box,
            FaceTable.landmarks,
            FaceTable.detection_score,
            FaceTable.image_sha256,
            FaceTable.created_at,
        )
        for row in self._rows(query.where(IdentityTable.collection_id == self.collection.key)):
            yield _face(row)

    def vectors(self) -> Iterator[Floats]:
        """Yield the faces' unit vectors (n, d), some hundred at a time, in the order of `faces`."""
        joined = _FACES.join(CollectionTable, CollectionTable.id == FaceTable.collection_id)
        query = joined.add_columns(*rows.TEMPLATE).where(IdentityTable.collection_id == self.collection.key)
        for block in self._partitions(query):
            yield rows.vectors(block, self._vault)

    def _rows(self, query: Select[*tuple[Any, ...]]) -> Iterator[Row[*tuple[Any, ...]]]:
        for block in self._partitions(query):
            yield from block

    def _partitions(self, query: Select[*tuple[Any, ...]]) -> Iterator[list[Row[*tuple[Any, ...]]]]:
        with self._connection.execute(query.execution_options(yield_per=_READ_AT_ONCE)) as result:
            for block in result.partitions():
                yield list(block)


class CollectionExporter:
    """Exporter of collections; each export is recorded in the audit trail before it starts."""

    def __init__(self, engine: Engine, vault: Vault | None = None) -> None:
        """Without a vault, templates are not encrypted."""
        self._vault = vault or Vault(engine)
        self._writing = engine
        # Without time limits: PostgreSQL would end a transaction that waits for a slow disk.
        self._reading = engine.execution_options(is_reader=True, has_time=True)

    @contextmanager
    def snapshot(self, name: str) -> Iterator[Snapshot]:
        """Context manager: a snapshot of a collection, without blocking writers. Raises CollectionUnknown."""
        with self._reading.connect() as connection:
            query = rows.COLLECTIONS.add_columns(CollectionTable.created_at).where(CollectionTable.name == name)
            row = connection.execute(query).one_or_none()
            if row is None:
                raise rows.unknown(name)
            collection = rows.collection(row)
            detail = {"revision": collection.revision, "faces": collection.faces}
            with Session(self._writing) as session, session.begin():
                audit.append(session, Action.COLLECTION_EXPORTED, collection=name, detail=detail)
            yield Snapshot(connection, collection, row.created_at, self._vault)


def _face(row: Row[*tuple[Any, ...]]) -> MovedFace:
    left, top, right, bottom = row.box
    return MovedFace(
        row.face_id,
        row.identity_id,
        row.quality,
        row.norm,
        (left, top, right, bottom),
        tuple((x, y) for x, y in row.landmarks),
        row.detection_score,
        row.image_sha256,
        row.created_at,
    )
