from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, update

from app.database import event_erasure, outbox
from app.database.event_table import EventTable
from app.database.outbox import EventKind, NewEvent
from app.database.rule_tables import RuleCooldownTable
from app.gallery.store.identities import IdentityStore
from app.notify.event_retention import EventRetention
from app.notify.rule_store import RuleStore
from app.notify.sighting_service import SightingService
from tests.gallery.store.enrolling import D, enroll
from tests.notify.sightings import rule, sighting


def count(engine, table):
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(table))


def test_events_end_after_their_term(engine, monkeypatch):
    monkeypatch.setattr(event_erasure, "_AT_ONCE", 2)
    now = datetime.now(UTC)
    with engine.begin() as connection:
        ids = outbox.append(connection, *(NewEvent(EventKind.TEST, "test") for _ in range(5)))
        for number, event_id in enumerate(ids):
            at = now - timedelta(days=number)
            connection.execute(update(EventTable).where(EventTable.event_id == event_id).values(at=at))
    EventRetention(engine, keep=timedelta(days=1.5)).delete_expired()
    with engine.connect() as connection:
        assert list(connection.scalars(select(EventTable.event_id).order_by(EventTable.id))) == ids[:2]


def test_cooldowns_end_after_the_longest_that_a_rule_may_have(engine):
    store = IdentityStore(engine)
    people = store.create_collection("people", model="net", dimension=D)
    enroll(store, people, "ada")
    enroll(store, people, "bob")
    RuleStore(engine).create(rule(cooldown_seconds=60))
    service = SightingService(engine)
    service.record(sighting(last_seen=datetime.now(UTC) - timedelta(days=8)))
    service.record(sighting(last_seen=datetime.now(UTC) - timedelta(days=6), identity_id="bob"))
    EventRetention(engine, keep=timedelta(days=1)).delete_expired()
    assert count(engine, RuleCooldownTable) == 1
