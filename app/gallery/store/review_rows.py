"""Rows of reviews: queries, and their conversion to values."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, exists, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from app.database.review_tables import ReviewCandidateTable, ReviewDecisionTable, ReviewImageTable, ReviewTable
from app.database.tables import CropTable, FaceTable, IdentityTable
from app.errors import ReviewUnknown
from app.gallery.store.migration_sql import has_crop
from app.gallery.store.review_values import (
    DecisionRecord,
    ReviewCandidate,
    ReviewDecision,
    ReviewOrigin,
    ReviewRecord,
    ReviewState,
)
from app.gallery.store.values import Collection

REVIEWS = select(
    ReviewTable.id,
    ReviewTable.review_id,
    ReviewTable.state,
    ReviewTable.changes,
    ReviewTable.origin,
    ReviewTable.camera,
    ReviewTable.verdict,
    ReviewTable.started_at,
    ReviewTable.ended_at,
    ReviewTable.times,
    ReviewTable.actor,
    ReviewTable.key_id,
    ReviewTable.model,
    ReviewTable.uid,
    ReviewTable.revision,
    ReviewTable.threshold,
    ReviewTable.quality,
    ReviewTable.input_sha256,
    ReviewTable.opened_at,
    ReviewTable.closed_at,
    exists().where(ReviewImageTable.review_key == ReviewTable.id).correlate(ReviewTable).label("has_image"),
)
# The face to show: the one nearest to the probe, or if it is gone, one with an image, and of those the best.
_FACE = aliased(FaceTable)
_OF_PERSON = select(FaceTable.id).where(FaceTable.identity_key == ReviewCandidateTable.identity_key)
_NEAREST = _OF_PERSON.where(FaceTable.face_id == ReviewCandidateTable.face_id)
_BEST = _OF_PERSON.order_by(has_crop().desc(), FaceTable.quality.desc().nulls_last(), FaceTable.id).limit(1)
_SHOWN = func.coalesce(
    *(each.correlate(ReviewCandidateTable).scalar_subquery() for each in (_NEAREST, _BEST)),
)
_CANDIDATES = (
    select(
        ReviewCandidateTable.review_key,
        IdentityTable.identity_id,
        IdentityTable.name,
        ReviewCandidateTable.similarity,
        ReviewCandidateTable.fmr,
        ReviewCandidateTable.fpir,
        _FACE.face_id.label("shown_face"),
        exists().where(CropTable.face_key == _FACE.id).correlate(_FACE).label("has_image"),
    )
    .join(IdentityTable, IdentityTable.id == ReviewCandidateTable.identity_key)
    .outerjoin(_FACE, _FACE.id == _SHOWN)
    .order_by(ReviewCandidateTable.id)
)
_DECISIONS = (
    select(
        ReviewDecisionTable.review_key,
        ReviewDecisionTable.decision,
        IdentityTable.identity_id,
        ReviewDecisionTable.actor,
        ReviewDecisionTable.key_id,
        ReviewDecisionTable.note,
        ReviewDecisionTable.decided_at,
    )
    .outerjoin(IdentityTable, IdentityTable.id == ReviewDecisionTable.identity_key)
    .order_by(ReviewDecisionTable.id)
)


def unknown(collection: Collection, review_id: str) -> ReviewUnknown:
    """Return the error for an unknown review."""
    return ReviewUnknown(f"collection {collection.name!r} has no review {review_id!r}")


def of(collection: Collection, review_id: str) -> Select[*tuple[Any, ...]]:
    """Return the query of one review."""
    return REVIEWS.where(ReviewTable.collection_id == collection.key, ReviewTable.review_id == review_id)


def required(connection: Connection | Session, collection: Collection, review_id: str) -> ReviewRecord:
    """Return a review; raises ReviewUnknown."""
    found = records(connection, of(collection, review_id))
    if not found:
        raise unknown(collection, review_id)
    return found[0]


def records(connection: Connection | Session, query: Select[*tuple[Any, ...]]) -> list[ReviewRecord]:
    """Return the reviews of a query of REVIEWS, with their candidates and decisions."""
    read = connection.execute(query).all()
    keys = [row.id for row in read]
    if not keys:
        return []
    candidates: dict[int, dict[str, ReviewCandidate]] = defaultdict(dict)
    for row in connection.execute(_CANDIDATES.where(ReviewCandidateTable.review_key.in_(keys))):
        candidates[row.review_key].setdefault(row.identity_id, _candidate(row))  # merged people occur once
    decisions: dict[int, list[DecisionRecord]] = defaultdict(list)
    for made in connection.execute(_DECISIONS.where(ReviewDecisionTable.review_key.in_(keys))):
        decisions[made.review_key].append(_decision(made))
    return [_record(row, list(candidates[row.id].values()), decisions[row.id]) for row in read]


def reassign_reviews(session: Session, source: int, target: int) -> None:
    """Move the reviews about one identity to another, before the first one is deleted; both are keys."""
    columns: tuple[InstrumentedAttribute[Any], ...] = (
        ReviewTable.identity_key,
        ReviewCandidateTable.identity_key,
        ReviewDecisionTable.identity_key,
    )
    for column in columns:
        session.execute(update(column.class_).where(column == source).values(identity_key=target))


def _record(
    row: Row[*tuple[Any, ...]], candidates: Sequence[ReviewCandidate], decisions: Sequence[DecisionRecord]
) -> ReviewRecord:
    return ReviewRecord(
        row.id,
        row.review_id,
        ReviewState(row.state),
        row.changes,
        ReviewOrigin(row.origin),
        row.camera,
        row.verdict,
        row.started_at,
        row.ended_at,
        row.times,
        row.actor,
        row.key_id,
        row.model,
        row.uid,
        row.revision,
        row.threshold,
        row.quality,
        row.input_sha256,
        row.opened_at,
        row.closed_at,
        row.has_image,
        candidates,
        decisions,
    )


def _candidate(row: Row[*tuple[Any, ...]]) -> ReviewCandidate:
    return ReviewCandidate(row.identity_id, row.name, row.shown_face, row.has_image, row.similarity, row.fmr, row.fpir)


def _decision(row: Row[*tuple[Any, ...]]) -> DecisionRecord:
    decision = ReviewDecision(row.decision)
    return DecisionRecord(decision, row.identity_id, row.actor, row.key_id, row.note, row.decided_at)
