from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.database.outbox import EventKind
from app.notify.rules import QuietHours, RuleEvent, planned_events
from app.notify.sighting import SightingVerdict
from tests.notify.sightings import rule, sighting

BERLIN = ZoneInfo("Europe/Berlin")
times = st.times().map(lambda each: each.replace(second=0, microsecond=0))
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])
moments = st.integers(0, 10 * 365 * 24 * 60).map(
    lambda each: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=each)
)
names = st.none() | st.lists(st.sampled_from(["a", "b"]), unique=True, max_size=2)
RULES = st.builds(
    rule,
    rule_id=st.uuids().map(str),
    event=st.sampled_from(RuleEvent),
    collections=names,
    cameras=names,
    verdicts=st.lists(st.sampled_from(SightingVerdict), unique=True, min_size=1),
    is_live_required=st.booleans(),
    send_to=names,
    is_enabled=st.booleans(),
)
SIGHTINGS = st.builds(
    sighting,
    camera=st.sampled_from(["a", "b"]),
    collection=st.sampled_from(["a", "b"]),
    verdict=st.sampled_from(SightingVerdict),
    liveness=st.sampled_from([None, "live", "uncertain", "attack"]),
)


@pytest.mark.parametrize(
    ("verdict", "kind"),
    [
        (SightingVerdict.MATCH, EventKind.PERSON_RECOGNISED),
        (SightingVerdict.POSSIBLE, EventKind.PERSON_POSSIBLE),
        (SightingVerdict.UNKNOWN, EventKind.PERSON_UNKNOWN),
        (SightingVerdict.ATTACK, EventKind.ATTACK_SUSPECTED),
    ],
)
def test_without_rules_each_sighting_makes_its_event_for_everybody(verdict, kind):
    (planned,) = planned_events([], [], sighting(verdict=verdict))
    assert (planned.kind, planned.send_to, planned.rule) == (kind, None, None)


def test_a_watchlist_adds_an_event_and_leaves_the_own_one_alone():
    watchlist = rule(send_to=["guard"])
    own, hit = planned_events([watchlist], ["rule"], sighting())
    assert (own.kind, own.send_to) == (EventKind.PERSON_RECOGNISED, None)
    assert (hit.kind, hit.send_to, hit.rule) == (EventKind.WATCHLIST_HIT, ["guard"], watchlist)


def test_rules_for_sightings_decide_where_the_own_event_is_sent():
    hall = rule(rule_id="hall", event=RuleEvent.SIGHTING, send_to=["a", "b"])
    yard = rule(rule_id="yard", event=RuleEvent.SIGHTING, send_to=["b", "c"])
    anywhere = rule(rule_id="any", event=RuleEvent.SIGHTING)
    seen = sighting()
    assert [each.send_to for each in planned_events([hall, yard], ["hall", "yard"], seen)] == [["a", "b", "c"]]
    assert [each.send_to for each in planned_events([hall, yard], ["yard"], seen)] == [["b", "c"]]
    assert [each.send_to for each in planned_events([hall, yard], [], seen)] == [[]]
    assert [each.send_to for each in planned_events([hall, anywhere], ["hall", "any"], seen)] == [None]


def test_rules_of_other_cameras_and_disabled_ones_restrict_nothing():
    elsewhere = rule(event=RuleEvent.SIGHTING, cameras=["yard"], send_to=[])
    off = rule(event=RuleEvent.SIGHTING, is_enabled=False, send_to=[])
    (own,) = planned_events([elsewhere, off], ["rule"], sighting())
    assert own.send_to is None


@given(rules=st.lists(RULES, max_size=5), seen=SIGHTINGS)
def test_events_follow_from_the_matching_rules_alone(rules, seen):
    matching = [each for each in rules if each.matches(seen)]
    own, *hits = planned_events(rules, {each.rule_id for each in matching}, seen)
    assert own == planned_events([], [], seen)[0] or any(
        each.covers(seen) and each.event is RuleEvent.SIGHTING for each in rules
    )
    assert [each.rule for each in hits] == [each for each in matching if each.event is RuleEvent.WATCHLIST_HIT]
    assert all(each.kind is EventKind.WATCHLIST_HIT for each in hits)


@given(one=RULES, seen=SIGHTINGS)
def test_a_rule_matches_what_meets_all_of_its_conditions(one, seen):
    assert one.matches(seen) == (
        one.is_enabled
        and (one.collections is None or seen.collection in one.collections)
        and (one.cameras is None or seen.camera in one.cameras)
        and seen.verdict in one.verdicts
        and (not one.is_live_required or seen.liveness == "live")
    )
    assert not replace(one, is_enabled=False).matches(seen)


@given(start=times, end=times, zone=zones, moment=moments)
def test_quiet_hours_and_their_complement_share_the_day(start, end, zone, moment):
    if start != end:
        assert QuietHours(start, end, zone).include(moment) != QuietHours(end, start, zone).include(moment)


@given(start=times, minutes=st.integers(1, 1439), zone=zones, moment=moments)
def test_quiet_hours_follow_the_clock_on_the_wall(start, minutes, zone, moment):
    end = (datetime(2026, 1, 1, start.hour, start.minute, tzinfo=UTC) + timedelta(minutes=minutes)).time()
    clock = moment.astimezone(ZoneInfo(zone))
    since_start = (clock.hour * 60 + clock.minute - start.hour * 60 - start.minute) % 1440
    assert QuietHours(start, end, zone).include(moment) == (since_start < minutes)


@pytest.mark.parametrize(
    ("utc", "is_quiet"),
    [
        (datetime(2026, 1, 10, 20, 59, tzinfo=UTC), False),  # 21:59 in winter
        (datetime(2026, 1, 10, 21, 0, tzinfo=UTC), True),
        (datetime(2026, 7, 10, 19, 59, tzinfo=UTC), False),  # 21:59 in summer
        (datetime(2026, 7, 10, 20, 0, tzinfo=UTC), True),
        (datetime(2026, 3, 29, 3, 59, tzinfo=UTC), True),  # 05:59 on the day with 23 hours
        (datetime(2026, 3, 29, 4, 0, tzinfo=UTC), False),
        (datetime(2026, 10, 25, 4, 59, tzinfo=UTC), True),  # 05:59 on the day with 25 hours
        (datetime(2026, 10, 25, 5, 0, tzinfo=UTC), False),
    ],
)
def test_quiet_hours_over_midnight_when_clocks_change(utc, is_quiet):
    night = QuietHours(time(22), time(6), "Europe/Berlin")
    assert night.include(utc) is night.include(utc.astimezone(BERLIN)) is is_quiet
    assert rule(quiet_hours=night).matches(sighting(last_seen=utc)) is not is_quiet
