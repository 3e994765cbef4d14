from datetime import time, timedelta

import pytest

from app.access.trail import Trail
from app.errors import RequestInvalid, RuleUnknown
from app.notify import rule_store
from app.notify.rule_store import RuleStore
from app.notify.rules import QuietHours
from tests.notify.sightings import rule

CHANGES = ("created", "changed", "deleted")
NIGHT = QuietHours(time(22), time(6, 30), "Europe/Berlin")


@pytest.fixture
def store(engine):
    return RuleStore(engine)


def test_a_rule_is_kept_as_it_was_created(store):
    made = store.create(rule(collections=[], cameras=[], quiet_hours=NIGHT, cooldown_seconds=60, send_to=[]))
    assert store.get(made.rule_id) == made
    assert (made.collections, made.cameras, made.quiet_hours, made.send_to) == ([], [], NIGHT, [])
    assert made.rule_id != "rule"


def test_rules_come_in_pages(store):
    made = [store.create(rule(name=name)) for name in "abc"]
    first = store.page(after=0, limit=2)
    assert [each.rule_id for each in first.items] == [each.rule_id for each in made[:2]]
    second = store.page(after=first.after, limit=2)
    assert ([each.name for each in second.items], second.after) == (["c"], None)


def test_a_change_alters_the_named_fields_only(store):
    made = store.create(rule(quiet_hours=NIGHT))
    changed = store.change(made.rule_id, {"quiet_hours": None, "name": "Other"})
    assert store.get(made.rule_id) == changed
    assert (changed.quiet_hours, changed.name, changed.verdicts) == (None, "Other", made.verdicts)
    assert changed.updated_at > made.updated_at


def test_a_deleted_rule_is_unknown(store):
    made = store.create(rule())
    assert store.delete(made.rule_id) == made
    for act in (store.get, store.delete, lambda rule_id: store.change(rule_id, {})):
        with pytest.raises(RuleUnknown):
            act(made.rule_id)


def test_the_trail_records_each_change_without_names(store, engine):
    made = store.create(rule(name="Ada's rule"))
    store.change(made.rule_id, {"is_enabled": False})
    store.delete(made.rule_id)
    lines = [each.entry for each in Trail(engine).lines()]
    assert [each.action for each in lines] == [
        "sighting_rule.created",
        "sighting_rule.changed",
        "sighting_rule.deleted",
    ]
    assert {each.subject for each in lines} == {made.rule_id}
    assert lines[1].detail["is_enabled"] is False
    assert "Ada" not in str([each.detail for each in lines])


def test_the_number_of_rules_is_bounded(store, monkeypatch):
    monkeypatch.setattr(rule_store, "MOST_RULES", 2)
    for _ in range(2):
        store.create(rule())
    with pytest.raises(RequestInvalid, match="2 rules exist"):
        store.create(rule())
    assert len(store.page(after=0, limit=9).items) == 2


def test_the_longest_cooldown_lasts_a_week():
    assert timedelta(days=7) == rule_store.LONGEST_COOLDOWN
