"""The table of cameras."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Float, ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database.table_types import Base, Key, UtcDateTime, Word


class CameraTable(Base):
    """A camera: its settings, and its state as the process that watches it has last written it."""

    __tablename__ = "cameras"
    __table_args__ = (
        UniqueConstraint("camera_id"),
        Index(None, "collection_id"),
        Index(None, "data_key_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    camera_id: Mapped[str] = mapped_column(String(48))
    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    url: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Sealed by the vault: it may contain a password. Null: a client sends the frames."""
    data_key_id: Mapped[int | None] = mapped_column(ForeignKey("data_keys.id"))
    kind: Mapped[str] = mapped_column(Word(16))
    """A value of `app.gallery.store.camera_values.CameraKind`."""
    fps: Mapped[float] = mapped_column(Float)
    has_motion_gate: Mapped[bool] = mapped_column(Boolean)
    is_enabled: Mapped[bool] = mapped_column(Boolean)
    keeps_images: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(Word(16))
    """A value of `app.gallery.store.camera_values.CameraState`."""
    state_since: Mapped[datetime] = mapped_column(UtcDateTime)
    last_frame_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    frames: Mapped[int] = mapped_column(BigInteger)
    frames_dropped: Mapped[int] = mapped_column(BigInteger)
    open_tracks: Mapped[int] = mapped_column(Integer)
