"""Sightings become events: the stored rules are applied, and the events are committed in one transaction."""

from collections import OrderedDict
from datetime import UTC
from threading import Lock
from typing import Any, Protocol
from uuid import uuid4

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app.database import outbox
from app.database.event_images import seal_image
from app.database.outbox import NewEvent, camera_key
from app.database.tables import CollectionTable, IdentityTable
from app.database.vault import Vault
from app.notify.rule_store import enabled_rules, start_cooldown
from app.notify.rules import PlannedEvent, SightingRule, planned_events
from app.notify.sighting import Sighting

_MOST_TRACKS = 10_000
_DIGITS = 3
_Decision = tuple[str, str | None]


class SightingReviews(Protocol):
    """The queue of matches that people decide."""

    def open_for_sighting(self, sighting: Sighting) -> str | None:
        """Open a review if the collection reviews this verdict, and return its id."""


class SightingService:
    """Records sightings. Usable by several threads."""

    def __init__(self, engine: Engine, vault: Vault | None = None, *, reviews: SightingReviews | None = None) -> None:
        """Create the service. Images are stored only if the vault encrypts; `reviews` gets each new decision."""
        self._engine = engine
        self._vault = vault or Vault(engine)
        self._reviews = reviews
        self._lock = Lock()
        self._decided: OrderedDict[str, _Decision] = OrderedDict()

    def record(self, sighting: Sighting) -> list[str]:
        """Apply the rules to a sighting, append its events to the outbox, and return their ids.

        A decision on a track is recorded once: a sighting that only updates its times or quality makes no event. A
        sighting of a person or in a collection that was deleted in the meantime makes none either.
        """
        decision = sighting.verdict, sighting.identity_id
        if not self._is_new(sighting.track_id, decision):
            return []
        try:
            if self._reviews is not None:
                self._reviews.open_for_sighting(sighting)
            return self._append(sighting)
        except BaseException:  # nothing was committed, so the caller may try again
            with self._lock:
                self._decided.pop(sighting.track_id, None)
            raise

    def _is_new(self, track_id: str, decision: _Decision) -> bool:
        with self._lock:
            earlier = self._decided.get(track_id)
            self._decided[track_id] = decision
            self._decided.move_to_end(track_id)
            if len(self._decided) > _MOST_TRACKS:
                self._decided.popitem(last=False)
            return earlier != decision

    def _append(self, sighting: Sighting) -> list[str]:
        with Session(self._engine) as session, session.begin():
            if not _is_there(session, sighting):
                return []
            rules = enabled_rules(session)
            matching = [rule for rule in rules if rule.matches(sighting)]
            firing = {rule.rule_id for rule in matching if start_cooldown(session, rule, sighting)}
            planned = planned_events(rules, firing, sighting)
            return outbox.append(session, *(self._event(each, sighting) for each in planned))

    def _event(self, planned: PlannedEvent, sighting: Sighting) -> NewEvent:
        event_id, shot = str(uuid4()), sighting.best_shot
        return NewEvent(
            planned.kind,
            camera_key(sighting.camera),
            _data(sighting, planned.rule),
            collection=sighting.collection,
            subject=sighting.identity_id,
            send_to=planned.send_to,
            image=None if shot is None else seal_image(self._vault, event_id, shot),
            event_id=event_id,
        )


def _is_there(session: Session, sighting: Sighting) -> bool:
    """Return whether the sighting's collection and person exist, and lock them.

    A deletion waits for the lock, and then deletes the events as well.
    """
    of_name = select(CollectionTable.id).where(CollectionTable.name == sighting.collection)
    collection = session.scalar(of_name.with_for_update(read=True, key_share=True))
    if collection is None or sighting.identity_id is None:
        return collection is not None
    of_person = select(IdentityTable.id).where(
        IdentityTable.collection_id == collection, IdentityTable.identity_id == sighting.identity_id
    )
    return session.scalar(of_person.with_for_update(read=True, key_share=True)) is not None


def _data(sighting: Sighting, rule: SightingRule | None) -> dict[str, Any]:
    """Return what receivers get about a sighting, as JSON values."""
    similarity = sighting.similarity
    data: dict[str, Any] = {
        "camera": sighting.camera,
        "track_id": sighting.track_id,
        "verdict": sighting.verdict.value,
        "identity_id": sighting.identity_id,
        "name": sighting.name,
        "similarity": None if similarity is None else round(similarity, _DIGITS),
        "fpir": sighting.fpir,
        "liveness": sighting.liveness,
        "quality": round(sighting.quality, _DIGITS),
        "frames": sighting.frames,
        "first_seen": sighting.first_seen.astimezone(UTC).isoformat(timespec="milliseconds"),
        "last_seen": sighting.last_seen.astimezone(UTC).isoformat(timespec="milliseconds"),
        "is_revised": sighting.is_revised,
    }
    return data if rule is None else data | {"rule": {"id": rule.rule_id, "name": rule.name}}
