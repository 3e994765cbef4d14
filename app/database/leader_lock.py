"""Work that one process at a time does: it claims it for a while, and nobody else does it until then."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import Engine, or_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database.tables import ClaimTable

_MOST = 2
"""A claim that would last longer than so many times its length was made before the clock was set back."""


class Claims:
    """The claims of one process. Clocks of replicas may differ by less than the time that is claimed."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._holder = str(uuid4())

    def take(self, name: str, lasting: timedelta) -> bool:
        """Claim work, or keep it for longer; False while another process has it."""
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
