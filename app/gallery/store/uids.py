"""New uids for all collections after a restore, which makes all existing indexes obsolete."""

from uuid import uuid4

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session

from app.database import audit
from app.database.audit import Action
from app.database.tables import CollectionTable, SharedIndexTable


def renew(engine: Engine, *, restored_from: str) -> list[str]:
    """Give every collection a new uid and return the old ones; `restored_from` is for the audit trail.

    Existing snapshots and shared indexes no longer match and are rebuilt. No other process may use the database during
    the call: an open index does not check the uid again.
    """
    with Session(engine) as session, session.begin():
        old = session.execute(select(CollectionTable.id, CollectionTable.uid).order_by(CollectionTable.id)).all()
        for row in old:
            renewed = update(CollectionTable).where(CollectionTable.id == row.id).values(uid=str(uuid4()))
            session.execute(renewed)
        session.execute(delete(SharedIndexTable))
        audit.append(session, Action.DATABASE_RESTORED, detail={"from": restored_from, "collections": len(old)})
        return [row.uid for row in old]
