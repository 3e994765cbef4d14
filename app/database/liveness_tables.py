"""The tables of liveness challenges."""

from datetime import datetime

from sqlalchemy import JSON, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database.table_types import Base, Key, UtcDateTime


class ChallengeTable(Base):
    """A liveness challenge: its prompts, and the hash of its nonce. Expired ones are deleted."""

    __tablename__ = "liveness_challenges"
    __table_args__ = (UniqueConstraint("challenge_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    challenge_id: Mapped[str] = mapped_column(String(32))
    sha256: Mapped[str] = mapped_column(String(64))
    collection: Mapped[str] = mapped_column(String(64))
    prompts: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Null: it was not answered yet."""


class SeenFrameTable(Base):
    """A frame of an answer by the hash of its bytes or its face, so that it is refused if it is sent again."""

    __tablename__ = "liveness_frames"
    __table_args__ = (UniqueConstraint("sha256"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
