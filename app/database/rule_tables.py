"""The tables of rules for sightings."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database.table_types import Base, Key, UtcDateTime, Word


class RuleTable(Base):
    """A rule: which sightings make which events, and where these are sent."""

    __tablename__ = "rules"
    __table_args__ = (UniqueConstraint("rule_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    rule_id: Mapped[str] = mapped_column(String(36))
    name: Mapped[str] = mapped_column(String(64))
    event: Mapped[str] = mapped_column(Word(32))
    """A value of `app.notify.rules.RuleEvent`."""
    is_enabled: Mapped[bool] = mapped_column(Boolean)
    collections: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """Null: all of them."""
    cameras: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """Null: all of them."""
    verdicts: Mapped[list[str]] = mapped_column(JSON)
    is_live_required: Mapped[bool] = mapped_column(Boolean)
    quiet_hours: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """`start` and `end` as HH:MM, and `time_zone`."""
    cooldown_seconds: Mapped[int] = mapped_column(Integer)
    send_to: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """Ids of the destinations. Null: every destination that subscribes to the event."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RuleCooldownTable(Base):
    """The last event of a rule about one person on one camera."""

    __tablename__ = "rule_cooldowns"
    __table_args__ = (
        UniqueConstraint("collection", "subject", "camera", "rule_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    rule_id: Mapped[str] = mapped_column(String(36), index=True)
    camera: Mapped[str] = mapped_column(String(128))
    collection: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(128))
    """The identity; empty for people who are not known."""
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
