"""Rules in SQL, and their cooldowns."""

from collections.abc import Collection as AnyOf
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, Select, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from app.database import audit
from app.database.audit import Action
from app.database.rule_tables import RuleCooldownTable, RuleTable
from app.database.upsert import insert_for
from app.errors import RequestInvalid, RuleUnknown
from app.notify.rules import QuietHours, RuleEvent, SightingRule
from app.notify.sighting import Sighting, SightingVerdict
from app.notify.targets import require_targets
from app.types import Page

MOST_RULES = 200
"""Every sighting is compared with all rules."""
LONGEST_COOLDOWN = timedelta(days=7)
_UNIQUE = ("collection", "subject", "camera", "rule_id")


class RuleStore:
    """Stores rules. Every public method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)

    def create(self, new: SightingRule) -> SightingRule:
        """Store a rule under a new id and return it; raises as `require_targets`, and RequestInvalid at MOST_RULES."""
        now = datetime.now(UTC)
        made = replace(new, rule_id=str(uuid4()), created_at=now, updated_at=now)
        with Session(self._writing) as session, session.begin():
            require_targets(session, made)
            session.execute(insert(RuleTable).values(rule_id=made.rule_id, created_at=now, **_stored(made)))
            _note(session, Action.RULE_CREATED, made)
            # Counted after taking the trail's lock, so that rules created by others are visible.
            if (session.scalar(select(func.count()).select_from(RuleTable)) or 0) > MOST_RULES:
                raise RequestInvalid(f"{MOST_RULES} rules exist, the most allowed; delete one first")
        return made

    def get(self, rule_id: str, among: AnyOf[str] | None = None) -> SightingRule:
        """Return a rule; raises RuleUnknown, also if it concerns other collections than `among` (None: all)."""
        with Session(self._reading) as session:
            return _rule(_row(session, select(RuleTable), rule_id, among))

    def page(self, *, after: int, limit: int, among: AnyOf[str] | None = None) -> Page[SightingRule]:
        """Return the rules with keys above `after`, the oldest first; only those of `among`."""
        query = select(RuleTable).where(RuleTable.id > after).order_by(RuleTable.id)
        with Session(self._reading) as session:
            found = [row for row in session.scalars(query) if _is_visible(row, among)]
            return Page([_rule(row) for row in found[:limit]], found[limit - 1].id if len(found) > limit else None)

    def change(self, rule_id: str, changes: Mapping[str, Any], among: AnyOf[str] | None = None) -> SightingRule:
        """Change fields of a rule and return it; raises as `get`, and as `require_targets` for these fields."""
        with Session(self._writing) as session, session.begin():
            row = _row(session, select(RuleTable).with_for_update(), rule_id, among)
            changed = replace(_rule(row), **changes, updated_at=datetime.now(UTC))
            require_targets(session, changed, changes)
            session.execute(update(RuleTable).where(RuleTable.id == row.id).values(**_stored(changed)))
            _note(session, Action.RULE_CHANGED, changed)
        return changed

    def delete(self, rule_id: str, among: AnyOf[str] | None = None) -> SightingRule:
        """Delete a rule with its cooldowns and return it; raises RuleUnknown as `get`."""
        with Session(self._writing) as session, session.begin():
            row = _row(session, select(RuleTable).with_for_update(), rule_id, among)
            rule = _rule(row)
            session.execute(delete(RuleCooldownTable).where(RuleCooldownTable.rule_id == rule_id))
            session.delete(row)
            session.flush()
            _note(session, Action.RULE_DELETED, rule)
        return rule


def enabled_rules(session: Session) -> list[SightingRule]:
    """Return all enabled rules, the oldest first."""
    query = select(RuleTable).where(RuleTable.is_enabled).order_by(RuleTable.id)
    return [_rule(row) for row in session.scalars(query)]


def start_cooldown(session: Session, rule: SightingRule, sighting: Sighting) -> bool:
    """Start a rule's cooldown for a sighting; return False if it still lasts.

    The row's lock lets only one of several replicas start it. Times are those of the sightings; after a clock was set
    back by more than the cooldown, the next sighting counts.
    """
    at, length = sighting.last_seen, timedelta(seconds=rule.cooldown_seconds)
    if not length:
        return True
    table = RuleCooldownTable
    claim = insert_for(session.get_bind(), table).values(
        rule_id=rule.rule_id,
        camera=sighting.camera,
        collection=sighting.collection,
        subject=sighting.identity_id or "",
        at=at,
    )
    is_over = or_(table.at <= at - length, table.at >= at + length)
    claim = claim.on_conflict_do_update(index_elements=_UNIQUE, set_={"at": at}, where=is_over)
    return session.scalar(claim.returning(table.id)) is not None


def _note(session: Session, action: Action, rule: SightingRule) -> None:
    detail = {"event": rule.event.value, "is_enabled": rule.is_enabled, "collections": _listed(rule.collections)}
    detail |= {"cameras": _listed(rule.cameras), "send_to": _listed(rule.send_to)}
    audit.append(session, action, subject=rule.rule_id, detail=detail)


def _row(session: Session, query: Select[RuleTable], rule_id: str, among: AnyOf[str] | None) -> RuleTable:
    row = session.scalar(query.where(RuleTable.rule_id == rule_id))
    if row is None or not _is_visible(row, among):
        raise RuleUnknown(f"there is no rule {rule_id!r}")
    return row


def _is_visible(row: RuleTable, among: AnyOf[str] | None) -> bool:
    return among is None or (row.collections is not None and set(row.collections) <= set(among))


def _rule(row: RuleTable) -> SightingRule:
    hours = row.quiet_hours
    return SightingRule(
        rule_id=row.rule_id,
        name=row.name,
        event=RuleEvent(row.event),
        collections=row.collections,
        cameras=row.cameras,
        verdicts=[SightingVerdict(each) for each in row.verdicts],
        is_live_required=row.is_live_required,
        quiet_hours=None
        if hours is None
        else QuietHours(time.fromisoformat(hours["start"]), time.fromisoformat(hours["end"]), hours["time_zone"]),
        cooldown_seconds=row.cooldown_seconds,
        send_to=row.send_to,
        is_enabled=row.is_enabled,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _stored(rule: SightingRule) -> dict[str, Any]:
    """Return the columns of a rule that a change may alter."""
    hours = rule.quiet_hours
    values = asdict(rule) | {
        "event": rule.event.value,
        "verdicts": [each.value for each in rule.verdicts],
        "quiet_hours": None
        if hours is None
        else {"start": f"{hours.start:%H:%M}", "end": f"{hours.end:%H:%M}", "time_zone": hours.time_zone},
        **{name: _listed(getattr(rule, name)) for name in ("collections", "cameras", "send_to")},
    }
    return {name: value for name, value in values.items() if name not in {"rule_id", "created_at"}}


def _listed(names: Any) -> list[str] | None:
    return None if names is None else list(names)
