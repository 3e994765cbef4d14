"""The tables of adaptive calibration."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database.table_types import Base, Key


class CalibrationVersionTable(Base):
    """A version of a collection's adaptive calibration. The newest one is also in the collection's row."""

    __tablename__ = "calibration_versions"
    __table_args__ = (UniqueConstraint("collection_id", "version"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    version: Mapped[int] = mapped_column(BigInteger)
    calibration: Mapped[dict[str, Any]] = mapped_column(JSON)


class ProbeMomentsTable(Base):
    """Sums over a collection's probes, in which old probes have less weight.

    `total` and `squares` are of each probe's mean similarity and mean squared similarity to the people of the gallery.
    `uid` is the collection's: another network starts with a new row.
    """

    __tablename__ = "probe_moments"
    __table_args__ = (UniqueConstraint("collection_id", "uid"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    uid: Mapped[str] = mapped_column(String(36))
    probes: Mapped[int] = mapped_column(BigInteger)
    weight: Mapped[float] = mapped_column(Float)
    total: Mapped[float] = mapped_column(Float)
    squares: Mapped[float] = mapped_column(Float)
