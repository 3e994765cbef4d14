"""Revisions of the indexes that all replicas share."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, Select, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database.tables import SharedIndexTable
from app.errors import CollectionUnknown
from app.gallery.store.values import Collection


class FeedProgress:
    """The revision of the index; 0 before the first update. A new value is stored if the update succeeds."""

    def __init__(self, session: Session, revision: int) -> None:
        self.revision = revision
        self._session = session

    def keep_alive(self) -> None:
        """Keep the transaction alive: the database ends those that are idle for 30 s."""
        self._session.execute(select(1))


class SharedIndexes:
    """See `feeding`."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)

    def revision(self, collection: Collection, name: str) -> int:
        """Return the revision of an index; 0 if it was never updated."""
        with self._reading.connect() as connection:
            return connection.scalar(_row(collection, name).with_only_columns(SharedIndexTable.revision)) or 0

    @contextmanager
    def feeding(self, collection: Collection, name: str) -> Iterator[FeedProgress]:
        """Context manager: lock the update of an index. Raises CollectionUnknown if the collection was deleted."""
        self._ensure(collection, name)
        with Session(self._writing) as session, session.begin():
            row = session.scalars(_row(collection, name).with_for_update()).one_or_none()
            if row is None:
                raise CollectionUnknown(collection.name)
            progress = FeedProgress(session, row.revision)
            yield progress
            row.revision = progress.revision

    def _ensure(self, collection: Collection, name: str) -> None:
        with self._reading.connect() as connection:
            if connection.scalar(_row(collection, name)) is not None:
                return
        try:
            with Session(self._writing) as session, session.begin():
                session.add(SharedIndexTable(collection_id=collection.key, name=name, revision=0))
        except IntegrityError:
            return  # another replica was quicker, or the collection was deleted


def _row(collection: Collection, name: str) -> Select[SharedIndexTable]:
    return select(SharedIndexTable).where(
        SharedIndexTable.collection_id == collection.key, SharedIndexTable.name == name
    )
