"""The table of events."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database.table_types import Base, Key, UtcDateTime, Word


class EventTable(Base):
    """An event, written in the transaction of the change that it reports (transactional outbox)."""

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("event_id"),
        UniqueConstraint("position"),
        Index(None, "at"),
        Index(None, "collection", "subject"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    event_id: Mapped[str] = mapped_column(String(36))
    position: Mapped[int | None] = mapped_column(BigInteger)
    """Place in the stream of all events, given after the commit. Null: not yet given."""
    kind: Mapped[str] = mapped_column(Word(32))
    """A value of `app.database.outbox.EventKind`."""
    key: Mapped[str] = mapped_column(String(128))
    """Events of one key are delivered in order."""
    collection: Mapped[str | None] = mapped_column(String(64))
    subject: Mapped[str | None] = mapped_column(String(128))
    """The identity concerned: its events are deleted with it."""
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    send_to: Mapped[list[str] | None] = mapped_column(JSON)
    """Ids of the destinations. Null: every destination that subscribes to this kind."""
    image: Mapped[bytes | None] = mapped_column(LargeBinary)
    """A JPEG of a face, sealed by the vault."""
    at: Mapped[datetime] = mapped_column(UtcDateTime)
