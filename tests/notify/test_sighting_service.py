from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.database.cipher import Master
from app.database.event_images import open_image
from app.database.event_table import EventTable
from app.database.rule_tables import RuleCooldownTable
from app.database.vault import Vault
from app.gallery.store.identities import IdentityStore
from app.notify.rule_store import RuleStore
from app.notify.rules import RuleEvent
from app.notify.sighting import SightingVerdict
from app.notify.sighting_service import SightingService
from tests.gallery.store.enrolling import D, enroll
from tests.notify.receivers import new_destination
from tests.notify.sightings import NOON, rule, sighting

MINUTE = timedelta(minutes=1)


@pytest.fixture
def people(engine):
    store = IdentityStore(engine)
    collection = store.create_collection("people", model="net", dimension=D)
    for identity_id in ("ada", "bob"):
        enroll(store, collection, identity_id)
    return collection


@pytest.fixture
def service(engine, people):
    return SightingService(engine)


@pytest.fixture
def rules(engine):
    return RuleStore(engine)


def sent(engine, ids):
    with engine.connect() as connection:
        rows = connection.execute(select(EventTable.__table__).where(EventTable.event_id.in_(ids))).all()
    return sorted(rows, key=lambda row: ids.index(row.event_id))


def test_a_sighting_becomes_an_event_of_its_camera_and_person(service, engine):
    (event,) = sent(engine, service.record(sighting(track_id="t1")))
    assert (event.kind, event.key) == ("person.recognised", "camera:door")
    assert (event.collection, event.subject, event.send_to, event.image) == ("people", "ada", None, None)
    assert event.data == {
        "camera": "door",
        "track_id": "t1",
        "verdict": "match",
        "identity_id": "ada",
        "name": "Ada",
        "similarity": 0.712,
        "fpir": 0.001,
        "liveness": "live",
        "quality": 0.8,
        "frames": 7,
        "first_seen": "2026-06-01T12:00:00.000+00:00",
        "last_seen": "2026-06-01T12:00:00.000+00:00",
        "is_revised": False,
    }


def test_a_decision_on_a_track_makes_one_event(service, engine):
    first = sighting(verdict=SightingVerdict.POSSIBLE)
    assert len(service.record(first)) == 1
    assert service.record(sighting(track_id=first.track_id, verdict=SightingVerdict.POSSIBLE, frames=9)) == []
    (revised,) = sent(engine, service.record(sighting(track_id=first.track_id, is_revised=True)))
    assert (revised.kind, revised.data["is_revised"]) == ("person.recognised", True)


def test_people_and_collections_that_are_gone_make_no_event(service):
    assert service.record(sighting(identity_id="nobody")) == []
    assert service.record(sighting(collection="nothing", identity_id=None, verdict=SightingVerdict.UNKNOWN)) == []


def test_a_watchlist_hit_names_its_rule_and_its_destinations(service, rules, engine):
    guard = new_destination(engine).destination_id
    made = rules.create(rule(name="Banned", collections=["people"], send_to=[guard]))
    own, hit = sent(engine, service.record(sighting()))
    assert (own.kind, own.send_to) == ("person.recognised", None)
    assert (hit.kind, hit.send_to) == ("watchlist.hit", [guard])
    assert hit.data == own.data | {"rule": {"id": made.rule_id, "name": "Banned"}}


def test_a_cooldown_survives_a_restart_and_counts_for_each_person_and_camera(service, rules, engine, people):
    rules.create(rule(cooldown_seconds=60))

    def hits(service, **changes):
        return len(service.record(sighting(**changes))) - 1

    assert hits(service) == 1
    other = SightingService(engine)  # another replica, or after a restart
    assert hits(other, last_seen=NOON + MINUTE / 2) == 0
    assert hits(other, last_seen=NOON + MINUTE / 2, identity_id="bob") == 1
    assert hits(other, last_seen=NOON + MINUTE / 2, camera="yard") == 1
    assert hits(other, last_seen=NOON + MINUTE) == 1
    assert hits(other, last_seen=NOON + MINUTE * 1.5) == 0
    assert hits(other, last_seen=NOON - MINUTE) == 1  # the clock was set back


def test_a_cooldown_of_a_rule_for_sightings_keeps_the_event_and_sends_it_nowhere(service, rules, engine):
    phone = new_destination(engine).destination_id
    rules.create(rule(event=RuleEvent.SIGHTING, cooldown_seconds=60, send_to=[phone]))
    first, second = (sent(engine, service.record(sighting()))[0] for _ in range(2))
    assert (first.send_to, second.send_to) == ([phone], [])


def test_the_cooldowns_of_a_rule_end_with_it(service, rules, engine):
    made = rules.create(rule(cooldown_seconds=60))
    service.record(sighting())
    rules.delete(made.rule_id)
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(RuleCooldownTable)) == 0


def test_images_are_sealed_for_their_event(engine, people, rules):
    rules.create(rule())
    vault = Vault(engine, Master(b"m" * 32))
    vault.open_keys()
    own, hit = sent(engine, SightingService(engine, vault).record(sighting(best_shot=b"JPEG")))
    assert b"JPEG" not in own.image
    assert open_image(vault, own.event_id, own.image) == open_image(vault, hit.event_id, hit.image) == b"JPEG"
    assert open_image(vault, own.event_id, hit.image) is None
    assert open_image(vault, own.event_id, b"JPEG") is None


def test_without_encryption_no_image_is_stored(service, engine):
    (event,) = sent(engine, service.record(sighting(best_shot=b"JPEG")))
    assert event.image is None


def test_where_events_are_switched_off_none_are_recorded(engine, people):
    assert SightingService(engine.execution_options(has_events=False)).record(sighting()) == []


def test_a_sighting_that_failed_may_be_recorded_again(service, engine, monkeypatch):
    seen = sighting()
    with monkeypatch.context() as broken:
        broken.setattr("app.notify.sighting_service.planned_events", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            service.record(seen)
    assert len(service.record(seen)) == 1
