"""New uids for all collections: after a database was put back to an earlier state, no index of before fits any more."""

from uuid import uuid4

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session

from app.database import audit
from app.database.audit import Action
from app.database.tables import CollectionTable, SharedIndexTable


def renew(engine: Engine, *, restored_from: str) -> list[str]:
    """Give every collection a new uid and return the old ones; `restored_from` is for the audit trail.

    Snapshots and shared indexes of before are then those of other collections, and built anew. Nobody else may use the
    database meanwhile: who holds an index does not look at uids again.
    """
    with Session(engine) as session, session.begin():
        old = session.execute(select(CollectionTable.id, CollectionTable.uid).order_by(CollectionTable.id)).all()
        for row in old:
            renewed = update(CollectionTable).where(CollectionTable.id == row.id).values(uid=str(uuid4()))
            session.execute(renewed)
        session.execute(delete(SharedIndexTable))
        audit.append(session, Action.DATABASE_RESTORED, detail={"from": restored_from, "collections": len(old)})
        return [row.uid for row in old]
