"""The tables of unknown faces, which a collection may keep for a while, and of their groups."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database.table_types import Base, Key, UtcDateTime, Word


class UnknownGroupTable(Base):
    """A group of unknown faces that seem to be of one person."""

    __tablename__ = "unknown_groups"
    __table_args__ = (
        UniqueConstraint("group_id"),
        Index(None, "collection_id", "faces"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    group_id: Mapped[str] = mapped_column(String(36))
    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(Word(16))
    """A value of `app.gallery.store.unknown.values.GroupState`."""
    faces: Mapped[int] = mapped_column(BigInteger)
    face_id: Mapped[str | None] = mapped_column(String(36))
    """The representative: its face of the best quality. Null: the group has no faces."""
    revision: Mapped[int] = mapped_column(BigInteger)
    """Counts the changes of the group."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class UnknownFaceTable(Base):
    """A face that nobody enrolled. It is deleted a number of days after `seen_at`: `remember_unknown_days`."""

    __tablename__ = "unknown_faces"
    __table_args__ = (
        UniqueConstraint("face_id"),
        UniqueConstraint("collection_id", "image_sha256", "place"),
        Index(None, "collection_id", "seen_at"),
        Index(None, "group_key"),
        Index(None, "data_key_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    face_id: Mapped[str] = mapped_column(String(36))
    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    group_key: Mapped[int | None] = mapped_column(ForeignKey("unknown_groups.id", ondelete="SET NULL"))
    """Null: not yet grouped."""
    model: Mapped[str] = mapped_column(String(128))
    embedding: Mapped[bytes] = mapped_column(LargeBinary)
    """Unit-norm float32, little-endian; sealed, see `app.gallery.store.unknown.sealing`."""
    data_key_id: Mapped[int | None] = mapped_column(ForeignKey("data_keys.id"))
    norm: Mapped[float] = mapped_column(Float)
    quality: Mapped[float] = mapped_column(Float)
    quality_members: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    detection_score: Mapped[float] = mapped_column(Float)
    box: Mapped[list[float]] = mapped_column(JSON)
    landmarks: Mapped[list[list[float]]] = mapped_column(JSON)
    origin: Mapped[str] = mapped_column(Word(16))
    """A value of `app.gallery.store.unknown.values.Origin`."""
    source: Mapped[str | None] = mapped_column(String(128))
    """The camera."""
    image_sha256: Mapped[str] = mapped_column(String(64))
    place: Mapped[int]
    """The place of the face in its photo, from 0."""
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class UnknownCropTable(Base):
    """The sealed crop of an unknown face, as in `crops`."""

    __tablename__ = "unknown_crops"
    __table_args__ = (Index(None, "data_key_id"),)

    face_key: Mapped[int] = mapped_column(ForeignKey("unknown_faces.id", ondelete="CASCADE"), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    data_key_id: Mapped[int | None] = mapped_column(ForeignKey("data_keys.id"))


class UnknownSeparationTable(Base):
    """Two groups of different people, as somebody decided: only people merge them. `first_key` is lower."""

    __tablename__ = "unknown_separations"
    __table_args__ = (
        UniqueConstraint("first_key", "second_key"),
        Index(None, "collection_id"),
        Index(None, "second_key"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    first_key: Mapped[int] = mapped_column(ForeignKey("unknown_groups.id", ondelete="CASCADE"))
    second_key: Mapped[int] = mapped_column(ForeignKey("unknown_groups.id", ondelete="CASCADE"))
