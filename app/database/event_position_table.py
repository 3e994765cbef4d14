"""The table with the position of the newest event."""

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from app.database.table_types import Base, Key


class EventPositionTable(Base):
    """A single row: the last position given to an event. Positions of deleted events are not given again."""

    __tablename__ = "event_positions"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    last: Mapped[int] = mapped_column(BigInteger)
