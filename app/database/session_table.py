"""The table of sessions of people who signed in."""

from datetime import datetime

from sqlalchemy import JSON, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database.table_types import Base, Key, UtcDateTime


class SessionTable(Base):
    """A person's session: its hash and permissions. Ended and expired sessions are deleted."""

    __tablename__ = "sessions"
    __table_args__ = (UniqueConstraint("session_id"), UniqueConstraint("sha256"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    session_id: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    collections: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """Null: all of them."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
