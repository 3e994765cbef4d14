"""Retention of events, and of the cooldowns of rules."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete

from app.database.event_erasure import forget_old
from app.database.rule_tables import RuleCooldownTable
from app.notify.rule_store import LONGEST_COOLDOWN


class EventRetention:
    """Deletes what has expired. Replicas may do this at the same time."""

    def __init__(self, engine: Engine, *, keep: timedelta) -> None:
        self._engine = engine
        self._keep = keep

    def delete_expired(self) -> None:
        """Delete the events that are older than `keep`, and the cooldowns that have ended for any rule."""
        now = datetime.now(UTC)
        forget_old(self._engine, now - self._keep)
        with self._engine.begin() as connection:
            connection.execute(delete(RuleCooldownTable).where(RuleCooldownTable.at < now - LONGEST_COOLDOWN))
