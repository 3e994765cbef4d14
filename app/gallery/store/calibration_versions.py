"""Adaptive calibration in the database: versions, moments of probes, and the sample of the gallery they come from."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Engine, delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database.calibration_tables import CalibrationVersionTable, ProbeMomentsTable
from app.database.tables import CollectionTable, FaceTable, IdentityTable
from app.gallery.store import calibration_state, rows
from app.gallery.store.calibration_state import CalibrationVersion, ProbeSums
from app.gallery.store.values import Collection, Owner

KEPT_VERSIONS: Final = 100
"""Older versions of a collection are deleted."""
HALF_LIFE: Final = 10_000
"""After this many further probes, a probe counts half."""

_ASK_AT_ONCE = 500
_READ_AT_ONCE = 10_000


class CalibrationRepository:
    """Versions of adaptive calibrations, and what they are computed from. Every method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)

    def adaptive(self, least_people: int) -> list[tuple[Collection, ProbeSums]]:
        """Return the adaptive collections with `least_people` or a version, and the sums over their probes."""
        query = rows.COLLECTIONS.add_columns(
            ProbeMomentsTable.probes, ProbeMomentsTable.weight, ProbeMomentsTable.total, ProbeMomentsTable.squares
        ).outerjoin(
            ProbeMomentsTable,
            (ProbeMomentsTable.collection_id == CollectionTable.id) & (ProbeMomentsTable.uid == CollectionTable.uid),
        )
        is_known = CollectionTable.calibration_version > 0
        wanted = CollectionTable.is_adaptive, or_(CollectionTable.identities >= least_people, is_known)
        with self._reading.connect() as connection:
            return [
                (rows.collection(row), ProbeSums(row.probes or 0, row.weight or 0, row.total or 0, row.squares or 0))
                for row in connection.execute(query.where(*wanted))
            ]

    def probe_sums(self, collection: Collection) -> ProbeSums:
        """Return the sums over a collection's probes."""
        table = ProbeMomentsTable
        query = select(table.probes, table.weight, table.total, table.squares).where(*_sums_of(collection))
        with self._reading.connect() as connection:
            row = connection.execute(query).one_or_none()
        return ProbeSums() if row is None else ProbeSums(*row)

    def add_probes(self, collection: Collection, sums: ProbeSums) -> None:
        """Add the sums over new probes. Earlier ones lose weight, so that a new camera is learned."""
        keep = 0.5 ** (sums.probes / HALF_LIFE)
        table = ProbeMomentsTable
        added = (
            update(table)
            .where(*_sums_of(collection))
            .values(
                probes=table.probes + sums.probes,
                weight=table.weight * keep + sums.weight,
                total=table.total * keep + sums.total,
                squares=table.squares * keep + sums.squares,
            )
            .returning(table.id)
        )
        with Session(self._writing) as session, session.begin():
            if session.scalar(added) is not None:
                return
        try:
            with Session(self._writing) as session, session.begin():
                old = ProbeMomentsTable.collection_id == collection.key, ProbeMomentsTable.uid != collection.uid
                session.execute(delete(ProbeMomentsTable).where(*old))
                session.add(
                    ProbeMomentsTable(
                        collection_id=collection.key,
                        uid=collection.uid,
                        probes=sums.probes,
                        weight=sums.weight,
                        total=sums.total,
                        squares=sums.squares,
                    )
                )
        except IntegrityError:  # another replica was quicker, or the collection was deleted
            with Session(self._writing) as session, session.begin():
                session.execute(added)

    def write(self, collection: Collection, version: CalibrationVersion) -> bool:
        """Write the next version, and return whether it is in use.

        It is not if another replica has written a version since `collection` was read, or if the collection was deleted
        or has moved to another network.
        """
        form = calibration_state.stored(version)
        with Session(self._writing) as session, session.begin():
            written = session.scalar(
                update(CollectionTable)
                .where(
                    CollectionTable.id == collection.key,
                    CollectionTable.uid == collection.uid,
                    CollectionTable.calibration_version == collection.calibration_version,
                )
                .values(calibration=form, calibration_version=version.version)
                .returning(CollectionTable.id)
            )
            if written is None:
                return False
            table = CalibrationVersionTable
            session.add(table(collection_id=collection.key, version=version.version, calibration=form))
            old = table.collection_id == collection.key, table.version <= version.version - KEPT_VERSIONS
            session.execute(delete(table).where(*old))
            return True

    def versions(self, collection: Collection, limit: int = KEPT_VERSIONS) -> list[CalibrationVersion]:
        """Return the newest versions of a collection, the newest first."""
        table = CalibrationVersionTable
        query = select(table.calibration).where(table.collection_id == collection.key).order_by(table.version.desc())
        with self._reading.connect() as connection:
            read = connection.scalars(query.limit(limit)).all()
        return [version for form in read if (version := calibration_state.read(form)) is not None]

    def sample(self, collection: Collection, most: int) -> dict[int, Owner]:
        """Return one face each of at most `most` people, by its key.

        The choice is arbitrary but fixed: as people come and go, the others of the sample stay.
        """
        with self._reading.connect() as connection:
            people = select(IdentityTable.id).where(IdentityTable.collection_id == collection.key)
            with connection.execution_options(yield_per=_READ_AT_ONCE).scalars(people) as keys:
                chosen = _first_by_hash(np.fromiter(keys, np.int64), most).tolist()
            chosen_faces: dict[int, tuple[int, Owner]] = {}
            for part in _parts(chosen):
                faces = (
                    select(
                        FaceTable.id,
                        FaceTable.face_id,
                        FaceTable.norm,
                        FaceTable.identity_key,
                        IdentityTable.identity_id,
                    )
                    .join(IdentityTable, IdentityTable.id == FaceTable.identity_key)
                    .where(FaceTable.identity_key.in_(part))
                )
                found = connection.execute(faces).all()
                by_hash = _first_by_hash(np.array([row.id for row in found], np.int64), len(found)).tolist()
                of_face = {row.id: row for row in found}
                for key in by_hash:
                    face = of_face[key]
                    owner = Owner(face.identity_id, face.face_id, face.norm)
                    chosen_faces.setdefault(face.identity_key, (key, owner))
        return dict(chosen_faces[person] for person in chosen if person in chosen_faces)

    def enrolled_among(self, keys: Sequence[int]) -> set[int]:
        """Return which of these faces are still enrolled."""
        with self._reading.connect() as connection:
            asked = (select(FaceTable.id).where(FaceTable.id.in_(part)) for part in _parts(keys))
            return {key for query in asked for key in connection.scalars(query)}


def _sums_of(collection: Collection) -> tuple[ColumnElement[bool], ...]:
    return ProbeMomentsTable.collection_id == collection.key, ProbeMomentsTable.uid == collection.uid


def _parts(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(keys), _ASK_AT_ONCE):
        yield keys[start : start + _ASK_AT_ONCE]


def _first_by_hash(keys: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most `most` keys, in the order of their hashes (SplitMix64: Steele et al., OOPSLA 2014)."""
    mixed = keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    ordered: NDArray[np.int64] = keys[np.argsort(mixed ^ (mixed >> np.uint64(31)), kind="stable")]
    return ordered[:most]
