"""The table of calibrations of liveness."""

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database.table_types import Base, Key


class LivenessCalibrationTable(Base):
    """Thresholds of liveness for the camera of a collection, and the error rates that were measured with them."""

    __tablename__ = "liveness_calibrations"
    __table_args__ = (UniqueConstraint("collection_id", "version"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    version: Mapped[int] = mapped_column(BigInteger)
    calibration: Mapped[dict[str, Any]] = mapped_column(JSON)
