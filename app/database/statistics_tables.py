"""The table of statistics."""

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database.table_types import Base, Key


class StatisticsTable(Base):
    """A count in an hour, over all replicas. It holds neither people nor keys, and goes with its collection."""

    __tablename__ = "statistics"
    __table_args__ = (
        UniqueConstraint("scope", "hour", "series", "operation", "label"),
        Index(None, "hour"),
        Index(None, "collection_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    collection_id: Mapped[int | None] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    """Null: the request names no collection."""
    scope: Mapped[int] = mapped_column(BigInteger)
    """`collection_id`, or 0: in a unique constraint, nulls are never equal."""
    hour: Mapped[int] = mapped_column(BigInteger)
    """Hours since 1970 in UTC."""
    series: Mapped[str] = mapped_column(String(16))
    """A value of `app.statistics.counts.Series`."""
    operation: Mapped[str] = mapped_column(String(16))
    label: Mapped[str] = mapped_column(String(64))
    count: Mapped[int] = mapped_column(BigInteger)
