"""Rules for sightings."""

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

from arcid.calls import Body, Call, path, to_json_members, value_reader
from arcid.events import Rule, RuleEvent, Verdict
from arcid.operations.resource_calls import list_call, patch_call
from arcid.resources import Page


class RuleFields(TypedDict, total=False):
    """Fields of a rule. None in `collections` and `cameras`: all; in `send_to`: the destinations that subscribe."""

    event: RuleEvent
    collections: Sequence[str] | None
    cameras: Sequence[str] | None
    verdicts: Sequence[Verdict]
    is_live_required: bool
    quiet_hours: Mapping[str, str] | None
    cooldown_seconds: int
    send_to: Sequence[str] | None
    is_enabled: bool


class RuleChanges(RuleFields, total=False):
    """Changes of a rule."""

    name: str


def create(name: str, **fields: Unpack[RuleFields]) -> Call[Rule]:
    """Create a rule; without `event` it makes the event `watchlist.hit` of each match."""
    body = Body(json=to_json_members({"name": name, **fields}))
    return Call("POST", "/rules", value_reader(Rule), body=body)


def page(*, limit: int | None = None, cursor: str | None = None) -> Call[Page[Rule]]:
    """List the rules, oldest first, one page."""
    return list_call("/rules", "rules", Rule, limit=limit, cursor=cursor)


def get(rule_id: str) -> Call[Rule]:
    """Return a rule."""
    return Call("GET", _path(rule_id), value_reader(Rule), is_repeatable=True)


def patch(rule_id: str, **changes: Unpack[RuleChanges]) -> Call[Rule]:
    """Change the given fields of a rule."""
    return patch_call(_path(rule_id), Rule, changes, None)


def delete(rule_id: str) -> Call[None]:
    """Delete a rule."""
    return Call("DELETE", _path(rule_id), lambda _: None)


def _path(rule_id: str) -> str:
    return path("/rules/{rule_id}", rule_id=rule_id)
