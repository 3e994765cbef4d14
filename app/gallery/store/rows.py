"""Rows of collections, identities and faces: reading, creating and converting them to values."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, Select, Text, cast, delete, or_, select
from sqlalchemy.orm import Session

from app.database.tables import CollectionTable, EnrollmentTable, FaceTable, IdentityTable
from app.database.vault import Vault
from app.errors import CollectionSwitched, CollectionUnknown, DataKeyGone, FaceUnknown, IdentityUnknown, SealBroken
from app.gallery.store import calibration_state, consent
from app.gallery.store.binding import template_context
from app.gallery.store.values import Collection, CollectionSettings, Person, Reaction
from app.observability.logs import get_logger
from app.types import Floats, Impostors, LivenessMode, ReviewMode

_log = get_logger(__name__)

VECTOR = np.dtype("<f4")
COLLECTIONS = select(
    CollectionTable.id,
    CollectionTable.uid,
    CollectionTable.name,
    CollectionTable.model,
    CollectionTable.dimension,
    CollectionTable.revision,
    CollectionTable.faces,
    CollectionTable.identities,
    CollectionTable.is_flip_averaged,
    CollectionTable.enroll_quality,
    CollectionTable.probe_quality,
    CollectionTable.on_duplicate,
    CollectionTable.on_mismatch,
    CollectionTable.index_kind,
    CollectionTable.detector,
    CollectionTable.max_fmr,
    CollectionTable.max_fpir,
    CollectionTable.threshold,
    CollectionTable.is_crop_kept,
    CollectionTable.retention_days,
    CollectionTable.remember_unknown_days,
    CollectionTable.is_consent_required,
    CollectionTable.is_adaptive,
    CollectionTable.impostors,
    CollectionTable.liveness,
    CollectionTable.review,
    CollectionTable.review_days,
    CollectionTable.reviewers,
    CollectionTable.calibration,
)
OWNER = (IdentityTable.identity_id.label("bound_identity"), CollectionTable.name.label("bound_collection"))
"""Columns of a template's owner; see `owned`."""
SEALED = (*OWNER, CollectionTable.model.label("bound_model"), FaceTable.embedding, FaceTable.data_key_id)
TEMPLATE = (FaceTable.face_id, *SEALED)
"""The columns that `vectors` and `sound` need."""


class OpenedRow(NamedTuple):
    """A row with TEMPLATE and its decrypted vector (d,)."""

    row: Row[*tuple[Any, ...]]
    vector: NDArray[np.float32]


def collection(row: Row[*tuple[Any, ...]]) -> Collection:
    """Return the value of a row of COLLECTIONS."""
    return Collection(
        row.id,
        row.uid,
        row.name,
        row.model,
        row.dimension,
        row.revision,
        row.faces,
        row.identities,
        CollectionSettings(
            row.is_flip_averaged,
            row.enroll_quality,
            row.probe_quality,
            detector=row.detector,
            max_fmr=row.max_fmr,
            max_fpir=row.max_fpir,
            threshold=row.threshold,
            is_crop_kept=row.is_crop_kept,
            on_duplicate=Reaction(row.on_duplicate),
            on_mismatch=Reaction(row.on_mismatch),
            retention_days=row.retention_days,
            remember_unknown_days=row.remember_unknown_days,
            is_consent_required=row.is_consent_required,
            is_adaptive=row.is_adaptive,
            impostors=None if row.impostors is None else Impostors(row.impostors),
            liveness=LivenessMode(row.liveness),
            review=ReviewMode(row.review),
            review_days=row.review_days,
            reviewers=row.reviewers,
        ),
        row.index_kind,
        calibration_state.read(row.calibration),
    )


def unknown(name: str) -> CollectionUnknown:
    """Return the error for an unknown collection."""
    return CollectionUnknown(name)


def switched(of: Collection) -> CollectionSwitched:
    """Return the error for a collection that has moved to another network."""
    return CollectionSwitched(f"collection {of.name!r} has just moved to another network; try again")


def require_unswitched(connection: Connection | Session, of: Collection) -> None:
    """Raise CollectionSwitched if a collection no longer has the network of the value.

    A deleted collection passes.
    """
    uid = connection.scalar(select(CollectionTable.uid).where(CollectionTable.id == of.key))
    if uid is not None and uid != of.uid:
        raise switched(of)


def changed(of: Collection) -> CollectionSwitched:
    """Return the error for a collection that has changed since it was read."""
    return CollectionSwitched(f"collection {of.name!r} has just changed; try again")


def require_unchanged(session: Session, of: Collection) -> None:
    """Raise CollectionSwitched if a collection no longer has the network and the settings of the value.

    One that was deleted passes.
    """
    settings = _settings_of_same_network(session, of)
    if settings is not None and settings != of.settings:
        raise changed(of)


def require_made_alike(session: Session, of: Collection) -> None:
    """Raise CollectionSwitched if a collection no longer has the network and embedding settings of the value.

    One that was deleted passes.
    """
    settings = _settings_of_same_network(session, of)
    if settings is not None and settings.embedding_settings != of.settings.embedding_settings:
        raise changed(of)


def _settings_of_same_network(session: Session, of: Collection) -> CollectionSettings | None:
    row = session.execute(COLLECTIONS.where(CollectionTable.id == of.key)).one_or_none()
    if row is None:
        return None
    if row.uid != of.uid:
        raise switched(of)
    return collection(row).settings


def nobody(of: Collection, identity_id: str) -> IdentityUnknown:
    """Return the error for an unknown identity."""
    return IdentityUnknown(f"nobody is enrolled as {identity_id!r} in collection {of.name!r}")


def no_face(of: Collection, face_id: str) -> FaceUnknown:
    """Return the error for an unknown face."""
    return FaceUnknown(f"there is no face {face_id!r} in collection {of.name!r}")


def owned(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Join faces with their identities and collections."""
    return query.join(IdentityTable, IdentityTable.id == FaceTable.identity_key).join(
        CollectionTable, CollectionTable.id == FaceTable.collection_id
    )


def vectors(read: Iterable[Row[*tuple[Any, ...]]], vault: Vault) -> Floats:
    """Return the embeddings (n, d) of rows with TEMPLATE; raises SealBroken if one cannot be decrypted."""
    return np.stack([_vector(row, vault) for row in read]).astype(np.float32)


def sound(read: Iterable[Row[*tuple[Any, ...]]], vault: Vault, *, is_last_try: bool) -> list[OpenedRow]:
    """Return the rows with TEMPLATE that can be decrypted; log the others.

    Raises DataKeyGone unless `is_last_try`: a rotation may have replaced the row's key.
    """
    found = []
    for row in read:
        try:
            found.append(OpenedRow(row, _vector(row, vault)))
        except SealBroken as error:
            if isinstance(error, DataKeyGone) and not is_last_try:
                raise
            vault.note_refused(row.face_id)
            _log.warning("template.refused", face_id=row.face_id, reason=str(error))
    return found


def _vector(row: Row[*tuple[Any, ...]], vault: Vault) -> NDArray[np.float32]:
    context = template_context(
        row.face_id, identity_id=row.bound_identity, collection=row.bound_collection, model=row.bound_model
    )
    return np.frombuffer(vault.open(context, row.embedding, row.data_key_id), VECTOR)


def identity(session: Session, of: Collection, identity_id: str) -> IdentityTable | None:
    """Return an identity's row."""
    return session.scalar(
        select(IdentityTable).where(IdentityTable.collection_id == of.key, IdentityTable.identity_id == identity_id)
    )


def face(session: Session, of: Collection, face_id: str) -> FaceTable | None:
    """Return a face's row."""
    return session.scalar(select(FaceTable).where(FaceTable.collection_id == of.key, FaceTable.face_id == face_id))


def has_faces(session: Session, of: IdentityTable) -> bool:
    """Return whether an identity has any face."""
    return session.scalar(select(FaceTable.id).where(FaceTable.identity_key == of.id).limit(1)) is not None


def identity_row(session: Session, of: Collection, person: Person, now: datetime) -> tuple[IdentityTable, bool]:
    """Create or update the row of an identity; return it and whether it is new."""
    row = identity(session, of, person.identity_id)
    is_new = row is None
    if row is None:
        row = IdentityTable(
            collection_id=of.key, identity_id=person.identity_id, metadata_={}, created_at=now, updated_at=now
        )
        session.add(row)
    row.updated_at = row.enrolled_at = now
    if person.name is not None:
        row.name = person.name
    if person.metadata is not None:
        row.metadata_ = dict(person.metadata)
    if person.terms.consent is not None:
        row.consent = consent.stored(person.terms.consent)
    if person.terms.expires_at is not None:
        row.expires_at = person.terms.expires_at
    session.flush()
    return row, is_new


def forget_answers(session: Session, of: Collection, identity_id: str) -> int:
    """Delete the stored answers about an identity, and answers from versions that did not record the identity.

    Return the number of deleted answers.
    """
    quoted = json.dumps(identity_id)  # also in answers about similar identities
    gone = delete(EnrollmentTable).where(
        EnrollmentTable.collection_id == of.key,
        or_(
            EnrollmentTable.identity_id == identity_id,
            EnrollmentTable.identity_id.is_(None),
            cast(EnrollmentTable.answer, Text).contains(quoted, autoescape=True),
        ),
    )
    return len(session.execute(gone.returning(EnrollmentTable.id)).all())
