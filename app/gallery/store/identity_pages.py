"""Pages of identities with all their faces, in the order of creation."""

from sqlalchemy import Engine, func, select

from app.database.tables import FaceTable, IdentityTable
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Collection, EnrolledIdentity
from app.types import Page


class IdentityPages:
    """See `page`."""

    def __init__(self, engine: Engine, store: IdentityStore) -> None:
        self._reading = engine.execution_options(is_reader=True)
        self._store = store

    def page(self, collection: Collection, *, after: int, limit: int, faces: int) -> Page[EnrolledIdentity]:
        """Return the identities with keys above `after`, at most `limit` and as many as have about `faces` in all.

        The first identity is returned whatever its number of faces. Identities deleted during the call are left out, so
        a page may be empty.
        """
        query = (
            select(IdentityTable.id, func.min(FaceTable.id).label("first"), func.count(FaceTable.id).label("faces"))
            .join(FaceTable, FaceTable.identity_key == IdentityTable.id)
            .where(IdentityTable.collection_id == collection.key, IdentityTable.id > after)
            .group_by(IdentityTable.id)
            .order_by(IdentityTable.id)
            .limit(limit + 1)
        )
        with self._reading.connect() as connection:
            read = list(connection.execute(query))
        taken, seen = 0, 0
        while taken < min(len(read), limit) and (not taken or seen + read[taken].faces <= faces):
            seen += read[taken].faces
            taken += 1
        items = self._store.owners_with_faces(row.first for row in read[:taken])
        return Page(items, read[taken - 1].id if len(read) > taken else None)
