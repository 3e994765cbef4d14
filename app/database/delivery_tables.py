"""The tables of delivery: destinations of events, and what was delivered to them."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, Boolean, ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database.table_types import Base, Key, UtcDateTime, Word


class DestinationTable(Base):
    """A destination of events. `sealed` contains its URL and secrets as JSON, sealed by the vault."""

    __tablename__ = "destinations"
    __table_args__ = (UniqueConstraint("destination_id"), Index(None, "data_key_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    destination_id: Mapped[str] = mapped_column(String(36))
    kind: Mapped[str] = mapped_column(Word(16))
    """A value of `app.notify.destination.DestinationKind`."""
    origin: Mapped[str] = mapped_column(String(300))
    """Scheme, host and port of the URL."""
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    data_key_id: Mapped[int | None] = mapped_column(ForeignKey("data_keys.id"))
    """Null: `sealed` is plain."""
    previous_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Until then, events are also signed with the previous secret."""
    kinds: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """Null: all kinds of events."""
    collections: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """Null: all of them."""
    is_enabled: Mapped[bool] = mapped_column(Boolean)
    is_image_sent: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DeliveryTable(Base):
    """The delivery of an event to a destination; deleted with either."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("event_key", "destination_key"),
        # The next one of a key, and the list of those in a state.
        Index(None, "destination_key", "state", "key", "position"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    event_key: Mapped[int] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"))
    destination_key: Mapped[int] = mapped_column(ForeignKey("destinations.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(128))
    """The event's ordering key."""
    position: Mapped[int] = mapped_column(BigInteger)
    """The event's position."""
    state: Mapped[str] = mapped_column(Word(16))
    """A value of `app.notify.delivery.DeliveryState`."""
    attempts: Mapped[int] = mapped_column(Integer)
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """Creation or last replay: the retries end a fixed time after it."""
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Time of the next attempt after a failure."""
    status: Mapped[int | None] = mapped_column(Integer)
    """HTTP status of the last attempt."""
    error: Mapped[str | None] = mapped_column(String(200))
    """Reason of the last failure, without URLs and secrets."""
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DeliveryLaneTable(Base):
    """An ordering key with pending deliveries to one destination. Its lease makes one worker at a time send them."""

    __tablename__ = "delivery_lanes"
    __table_args__ = (
        UniqueConstraint("destination_key", "key"),
        Index(None, "destination_key", "next_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    destination_key: Mapped[int] = mapped_column(ForeignKey("destinations.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(128))
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)
    owner: Mapped[str | None] = mapped_column(String(36))
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DeliveryHeadTable(Base):
    """A single row: all events up to this position have their deliveries. Its lock orders all dispatchers."""

    __tablename__ = "delivery_head"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
