"""The tables of reviews: matches that people decide, their candidates, decisions and images.

Everything is deleted with its collection. A review is deleted with the person whom it is about.
"""

from datetime import datetime

from sqlalchemy import BigInteger, Float, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database.table_types import Base, Key, UtcDateTime, Word


class ReviewTable(Base):
    """A match of a request or a camera that people decide."""

    __tablename__ = "reviews"
    __table_args__ = (
        UniqueConstraint("review_id"),
        UniqueConstraint("collection_id", "same_as"),
        Index(None, "collection_id", "state", "id"),
        Index(None, "identity_key"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    review_id: Mapped[str] = mapped_column(String(36))
    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    identity_key: Mapped[int] = mapped_column(ForeignKey("identities.id", ondelete="CASCADE"))
    """The person whom it is about: the confirmed one, else the first candidate."""
    same_as: Mapped[str] = mapped_column(String(64))
    """Hash of what makes a later match the same one: the photo or track, and the first candidate."""
    state: Mapped[str] = mapped_column(Word(16))
    changes: Mapped[int] = mapped_column(BigInteger)
    """Number of changes, for the ETag."""
    origin: Mapped[str] = mapped_column(Word(16))
    camera: Mapped[str | None] = mapped_column(String(64))
    verdict: Mapped[str] = mapped_column(Word(16))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """Start of the use that led to the match, and its end."""
    ended_at: Mapped[datetime] = mapped_column(UtcDateTime)
    times: Mapped[int] = mapped_column(BigInteger)
    """How often the same match was made."""
    actor: Mapped[str] = mapped_column(String(64))
    """The caller whose request led to the match."""
    key_id: Mapped[str | None] = mapped_column(String(16))
    model: Mapped[str] = mapped_column(String(128))
    """The reference database at that time: network, uid and revision of the collection."""
    uid: Mapped[str] = mapped_column(String(36))
    revision: Mapped[int] = mapped_column(BigInteger)
    threshold: Mapped[float | None] = mapped_column(Float)
    quality: Mapped[float] = mapped_column(Float)
    input_sha256: Mapped[str | None] = mapped_column(String(64))
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ReviewCandidateTable(Base):
    """A candidate of a review, deleted with its person."""

    __tablename__ = "review_candidates"
    __table_args__ = (Index(None, "review_key"), Index(None, "identity_key"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    review_key: Mapped[int] = mapped_column(ForeignKey("reviews.id", ondelete="CASCADE"))
    identity_key: Mapped[int] = mapped_column(ForeignKey("identities.id", ondelete="CASCADE"))
    face_id: Mapped[str | None] = mapped_column(String(36))
    similarity: Mapped[float] = mapped_column(Float)
    fmr: Mapped[float | None] = mapped_column(Float)
    fpir: Mapped[float | None] = mapped_column(Float)


class ReviewDecisionTable(Base):
    """One person's decision on a review."""

    __tablename__ = "review_decisions"
    __table_args__ = (
        UniqueConstraint("review_key", "reviewer"),
        Index(None, "identity_key"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    review_key: Mapped[int] = mapped_column(ForeignKey("reviews.id", ondelete="CASCADE"))
    decision: Mapped[str] = mapped_column(Word(16))
    identity_key: Mapped[int | None] = mapped_column(ForeignKey("identities.id", ondelete="CASCADE"))
    """The confirmed person."""
    reviewer: Mapped[str] = mapped_column(String(300))
    """An API key or a person at the OpenID provider, the same in all their sessions."""
    actor: Mapped[str] = mapped_column(String(64))
    key_id: Mapped[str | None] = mapped_column(String(16))
    note: Mapped[str | None] = mapped_column(String(1000))
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ReviewImageTable(Base):
    """The sealed image of a review's probe; in a separate table, so that no other query reads it."""

    __tablename__ = "review_images"
    __table_args__ = (Index(None, "data_key_id"),)

    review_key: Mapped[int] = mapped_column(ForeignKey("reviews.id", ondelete="CASCADE"), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    data_key_id: Mapped[int | None] = mapped_column(ForeignKey("data_keys.id"))
