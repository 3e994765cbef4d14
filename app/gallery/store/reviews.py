"""The queue of reviews: opening, deciding and expiring them.

Every write locks the collection's row first, as all writers of a collection do. So an erasure comes either before it,
and the erased person is not a candidate, or after it, and deletes the review with the person.
"""

from collections.abc import Collection as AnyOf
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, delete, func, insert, select, update
from sqlalchemy.orm import Session

from app.database import audit, outbox
from app.database.audit import Action
from app.database.cipher import Sealed, Sealer
from app.database.outbox import EventKind, NewEvent
from app.database.review_tables import ReviewCandidateTable, ReviewDecisionTable, ReviewImageTable, ReviewTable
from app.database.session_table import SessionTable
from app.database.tables import CollectionTable, IdentityTable, KeyTable
from app.errors import KeyInvalid, PreconditionFailed, RequestInvalid, ReviewClosed, ReviewerRepeated
from app.gallery.store import review_rows, rows
from app.gallery.store.review_images import image_context
from app.gallery.store.review_values import NewDecision, NewReview, ReviewDecision, ReviewRecord, ReviewState
from app.gallery.store.values import Collection
from app.observability.logs import get_logger

_log = get_logger(__name__)

_AT_ONCE = 500
_CLOSED = {ReviewDecision.CONFIRM: ReviewState.CONFIRMED, ReviewDecision.REJECT: ReviewState.REJECTED}


class ReviewStore:
    """Reviews of all collections. Every method is one transaction."""

    def __init__(self, engine: Engine, sealer: Sealer | None = None, *, most_open: int = 1000) -> None:
        """Without a sealer, no image is stored. A collection has at most `most_open` open reviews."""
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)
        self._sealer = sealer
        self._most_open = most_open

    def open(self, collection: Collection, review_id: str, new: NewReview) -> str | None:
        """Open a review and return its id, or the id of the review of the same match, which counts the repetition.

        Return None if the first candidate was just erased, or if the collection has too many open reviews. Raises
        CollectionUnknown if the collection was deleted.
        """
        sealed = self._sealed(collection, review_id, new)
        with Session(self._writing) as session, session.begin():
            _lock(session, collection)
            if (earlier := _repeated(session, collection, new)) is not None:
                return earlier
            people = _keys_of(session, collection, [each.identity_id for each in new.candidates])
            first = new.candidates[0].identity_id
            if first not in people:
                return None
            is_open = (ReviewTable.collection_id == collection.key) & (ReviewTable.state == ReviewState.OPEN)
            if (session.scalar(select(func.count()).select_from(ReviewTable).where(is_open)) or 0) >= self._most_open:
                _log.warning("review.queue_full", collection=collection.name, open=self._most_open)
                return None
            _insert(session, collection, review_id, new, people, sealed)
            outbox.append(session, _opened(collection, review_id, new))
            detail = {"review": review_id, "origin": new.origin, "verdict": new.verdict}
            audit.append(session, Action.REVIEW_OPENED, collection=collection.name, subject=first, detail=detail)
        return review_id

    def decide(
        self, collection: Collection, review_id: str, new: NewDecision, versions: AnyOf[str] | None = None
    ) -> ReviewRecord:
        """Store the decision of the current actor, and close the review if as many people agree as it takes.

        Raises:
            ReviewUnknown: if the collection has no review of this id.
            ReviewClosed: if it is not open.
            PreconditionFailed: if its version is not in `versions`.
            ReviewerRepeated: if the same key or person has decided it before.
            KeyInvalid: if the person's session has ended since the request started.
            RequestInvalid: if the confirmed person is not a candidate.
        """
        with Session(self._writing) as session, session.begin():
            reviewers = _lock(session, collection)
            review = review_rows.required(session, collection, review_id)
            if versions is not None and review.version not in versions:
                raise PreconditionFailed(f"review {review_id!r}")
            if review.state is not ReviewState.OPEN:
                raise ReviewClosed(f"review {review_id!r} is {review.state.value}")
            subject = _decided_candidate(review, new)
            people = _keys_of(session, collection, [subject])
            confirmed = people[subject] if new.decision is ReviewDecision.CONFIRM else None
            _insert_decision(session, review, new, confirmed)
            changes: dict[str, Any] = {"changes": review.changes + 1}
            if _agreeing(session, review, new.decision, confirmed) >= reviewers:
                changes |= {"state": _CLOSED[new.decision], "closed_at": datetime.now(UTC)}
                changes |= {"identity_key": people[subject]}
            session.execute(update(ReviewTable).where(ReviewTable.id == review.key).values(**changes))
            decided = review_rows.required(session, collection, review_id)
            outbox.append(session, _decided(collection, decided, new, subject))
            detail = {"review": review_id, "decision": new.decision.value, "state": decided.state.value}
            audit.append(session, Action.REVIEW_DECIDED, collection=collection.name, subject=subject, detail=detail)
            return decided

    def delete_expired(self) -> None:
        """Expire open reviews whose time is over, with their images, and delete reviews closed for as long."""
        with self._reading.connect() as connection:
            keys = connection.scalars(select(ReviewTable.collection_id).distinct()).all()
            found = [rows.collection(row) for row in connection.execute(rows.COLLECTIONS) if row.id in keys]
        for collection in found:
            before = datetime.now(UTC) - timedelta(days=collection.settings.review_days)
            while self._expire(collection, before) == _AT_ONCE:
                continue

    def _expire(self, collection: Collection, before: datetime) -> int:
        """Expire and delete some reviews and return their number."""
        own = ReviewTable.collection_id == collection.key
        over = select(ReviewTable.id).where(own, ReviewTable.state == ReviewState.OPEN, ReviewTable.opened_at <= before)
        gone = select(ReviewTable.id).where(own, ReviewTable.closed_at <= before)
        with Session(self._writing) as session, session.begin():
            _lock(session, collection)
            keys = session.scalars(over.order_by(ReviewTable.id).limit(_AT_ONCE)).all()
            old = session.scalars(gone.order_by(ReviewTable.id).limit(_AT_ONCE - len(keys))).all()
            if not keys and not old:
                return 0
            now = datetime.now(UTC)
            values = {"state": ReviewState.EXPIRED, "closed_at": now, "changes": ReviewTable.changes + 1}
            session.execute(update(ReviewTable).where(ReviewTable.id.in_(keys)).values(**values))
            session.execute(delete(ReviewImageTable).where(ReviewImageTable.review_key.in_(keys)))
            session.execute(delete(ReviewTable).where(ReviewTable.id.in_(old)))
            detail = {"expired": len(keys), "deleted": len(old)}
            audit.append(session, Action.REVIEW_EXPIRED, collection=collection.name, detail=detail)
            return len(keys) + len(old)

    def _sealed(self, collection: Collection, review_id: str, new: NewReview) -> Sealed | None:
        if self._sealer is None or new.image is None:
            return None
        return self._sealer.seal_file(image_context(review_id, collection.name), new.image)


def _lock(session: Session, collection: Collection) -> int:
    """Lock a collection and return how many people have to agree; raises CollectionUnknown if it was deleted."""
    query = select(CollectionTable.reviewers).where(CollectionTable.id == collection.key).with_for_update()
    reviewers = session.scalar(query)
    if reviewers is None:
        raise rows.unknown(collection.name)
    return reviewers


def _repeated(session: Session, collection: Collection, new: NewReview) -> str | None:
    """Count a repeated match and return its review's id, None if it is new."""
    is_same = (ReviewTable.collection_id == collection.key) & (ReviewTable.same_as == new.same_as)
    values = {"times": ReviewTable.times + 1, "ended_at": new.ended_at}
    return session.scalar(update(ReviewTable).where(is_same).values(**values).returning(ReviewTable.review_id))


def _keys_of(session: Session, collection: Collection, identity_ids: Iterable[str]) -> dict[str, int]:
    query = select(IdentityTable.identity_id, IdentityTable.id).where(
        IdentityTable.collection_id == collection.key, IdentityTable.identity_id.in_(list(identity_ids))
    )
    return {row.identity_id: row.id for row in session.execute(query)}


def _insert(
    session: Session,
    collection: Collection,
    review_id: str,
    new: NewReview,
    people: dict[str, int],
    sealed: Sealed | None,
) -> None:
    who = audit.actor()
    row = ReviewTable(
        review_id=review_id,
        collection_id=collection.key,
        identity_key=people[new.candidates[0].identity_id],
        same_as=new.same_as,
        state=ReviewState.OPEN,
        changes=0,
        origin=new.origin,
        camera=new.camera,
        verdict=new.verdict,
        started_at=new.started_at,
        ended_at=new.ended_at,
        times=1,
        actor=who.name,
        key_id=who.key_id,
        model=collection.model,
        uid=collection.uid,
        revision=collection.revision,
        threshold=new.threshold,
        quality=new.quality,
        input_sha256=new.input_sha256,
        opened_at=datetime.now(UTC),
    )
    session.add(row)
    session.flush()
    _insert_candidates(session, row.id, new, people)
    if sealed is not None:
        session.add(ReviewImageTable(review_key=row.id, sealed=sealed.data, data_key_id=sealed.data_key_id))
        session.flush()


def _insert_candidates(session: Session, review: int, new: NewReview, people: dict[str, int]) -> None:
    candidates = [
        {
            "review_key": review,
            "identity_key": people[each.identity_id],
            "face_id": each.face_id,
            "similarity": each.similarity,
            "fmr": each.fmr,
            "fpir": each.fpir,
        }
        for each in new.candidates
        if each.identity_id in people
    ]
    session.execute(insert(ReviewCandidateTable), candidates)


def _insert_decision(session: Session, review: ReviewRecord, new: NewDecision, confirmed: int | None) -> None:
    """Store the decision of the current actor; raises ReviewerRepeated and KeyInvalid."""
    who, reviewer = audit.actor(), _reviewer(session)
    same = (ReviewDecisionTable.review_key == review.key) & (ReviewDecisionTable.reviewer == reviewer)
    if session.scalar(select(ReviewDecisionTable.id).where(same)) is not None:
        raise ReviewerRepeated(f"{who.name!r} has decided this review before; another person has to agree")
    session.add(
        ReviewDecisionTable(
            review_key=review.key,
            decision=new.decision,
            identity_key=confirmed,
            reviewer=reviewer,
            actor=who.name,
            key_id=who.key_id,
            note=new.note,
            decided_at=datetime.now(UTC),
        )
    )
    session.flush()


def _reviewer(session: Session) -> str:
    """Return who acts, the same over all sessions of a person; raises KeyInvalid if the session has ended."""
    who = audit.actor()
    if who.key_id is None:
        return f"name:{who.name}"
    subject = session.scalar(select(SessionTable.subject).where(SessionTable.session_id == who.key_id))
    if subject is not None:
        return f"person:{subject}"
    if session.scalar(select(KeyTable.id).where(KeyTable.key_id == who.key_id)) is None:
        raise KeyInvalid("the session has ended")  # else a person could decide again by it
    return f"key:{who.key_id}"


def _agreeing(session: Session, review: ReviewRecord, decision: ReviewDecision, confirmed: int | None) -> int:
    same = (ReviewDecisionTable.review_key == review.key) & (ReviewDecisionTable.decision == decision)
    if confirmed is not None:
        same &= ReviewDecisionTable.identity_key == confirmed
    return session.scalar(select(func.count()).select_from(ReviewDecisionTable).where(same)) or 0


def _decided_candidate(review: ReviewRecord, new: NewDecision) -> str:
    """Return the person whom a decision is about; raises RequestInvalid if that is not a candidate."""
    ids = [each.identity_id for each in review.candidates]
    if new.decision is ReviewDecision.REJECT or new.identity_id is None:
        return ids[0]
    if new.identity_id not in ids:
        detail = f"{new.identity_id!r} is not a candidate of the review; candidates: {', '.join(ids)}"
        raise RequestInvalid.at("identity_id", detail)
    return new.identity_id


def _opened(collection: Collection, review_id: str, new: NewReview) -> NewEvent:
    first = new.candidates[0]
    data: dict[str, Any] = {
        "review_id": review_id,
        "origin": new.origin.value,
        "camera": new.camera,
        "verdict": new.verdict,
    }
    data |= {"identity_id": first.identity_id, "similarity": first.similarity, "fpir": first.fpir}
    return _event(EventKind.REVIEW_OPENED, collection, first.identity_id, data)


def _decided(collection: Collection, review: ReviewRecord, new: NewDecision, subject: str) -> NewEvent:
    data: dict[str, Any] = {"review_id": review.review_id, "decision": new.decision.value, "state": review.state.value}
    data |= {"identity_id": subject, "decisions": len(review.decisions), "decided_by": audit.actor().name}
    return _event(EventKind.REVIEW_DECIDED, collection, subject, data)


def _event(kind: EventKind, collection: Collection, subject: str, data: dict[str, Any]) -> NewEvent:
    return NewEvent(kind, f"collection:{collection.name}", data, collection=collection.name, subject=subject)
