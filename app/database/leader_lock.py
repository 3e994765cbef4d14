"""Locks on periodic tasks: one process at a time runs a task, and holds its lock for a limited time."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import Engine, delete, or_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database.claim_table import ClaimTable

_MOST = 2
"""A lock that ends later than this many times its length was taken before the clock was set back."""


class TaskLock:
    """The task locks of one process. Clocks of replicas may differ by less than the time that a lock lasts."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._holder = str(uuid4())

    def take(self, name: str, lasting: timedelta) -> bool:
        """Take or extend the lock on a task; return False while another process holds it."""
        now = datetime.now(UTC)
        values = {"holder": self._holder, "until": now + lasting}
        is_over = or_(ClaimTable.until <= now, ClaimTable.until > now + _MOST * lasting)
        is_free = or_(is_over, ClaimTable.holder == self._holder)
        taken = update(ClaimTable).where(ClaimTable.name == name, is_free).values(values).returning(ClaimTable.id)
        with Session(self._writing) as session, session.begin():
            if session.scalar(taken) is not None:
                return True
        try:
            with Session(self._writing) as session, session.begin():
                session.add(ClaimTable(name=name, **values))
        except IntegrityError:
            return False
        return True

    def release(self, name: str) -> None:
        """Give the lock on a task back, if this process holds it."""
        with Session(self._writing) as session, session.begin():
            session.execute(delete(ClaimTable).where(ClaimTable.name == name, ClaimTable.holder == self._holder))
