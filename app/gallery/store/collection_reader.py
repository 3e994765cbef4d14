"""Reading collections, which every request does: without a query while nothing was committed."""

from dataclasses import dataclass, field

from sqlalchemy import Engine, bindparam

from app.database.data_version import DataVersion
from app.database.tables import CollectionTable
from app.errors import CollectionUnknown
from app.gallery.store import rows
from app.gallery.store.values import Collection

# Built once: building and comparing a statement costs more than its run.
_NAMED = rows.COLLECTIONS.where(CollectionTable.name == bindparam("name"))
_ALL = rows.COLLECTIONS.order_by(CollectionTable.name)
_MOST_KEPT = 1000


@dataclass(frozen=True, slots=True)
class _KeptCollections:
    """Collections as they were read while the database had a version."""

    version: tuple[int, int] | None
    by_name: dict[str, Collection] = field(default_factory=dict)


class CollectionReader:
    """Collections as they are committed at the moment of the call; thread-safe.

    PostgreSQL is asked each time. SQLite is asked only if there was a commit since (`DataVersion`).
    """

    def __init__(self, engine: Engine) -> None:
        self._reading = engine.execution_options(is_reader=True)
        self._version = DataVersion(engine)
        self._kept = _KeptCollections(None)

    def named(self, name: str) -> Collection:
        """Return a collection; raises CollectionUnknown."""
        version = self._version.read()  # before the row: the row may be newer, never older
        kept = self._kept
        if version is None:
            return self._read(name)
        if kept.version != version or len(kept.by_name) >= _MOST_KEPT:
            kept = self._kept = _KeptCollections(version)
        found = kept.by_name.get(name)
        if found is None:
            found = kept.by_name[name] = self._read(name)
        return found

    def state(self, of: Collection) -> tuple[str, int] | None:
        """Return the uid and the revision of a collection now; None if it was deleted."""
        try:
            now = self.named(of.name)
        except CollectionUnknown:
            return None
        return (now.uid, now.revision) if now.key == of.key else None

    def all(self) -> list[Collection]:
        """Return all collections by name."""
        with self._reading.connect() as connection:
            return [rows.collection(row) for row in connection.execute(_ALL)]

    def _read(self, name: str) -> Collection:
        with self._reading.connect() as connection:
            row = connection.execute(_NAMED, {"name": name}).one_or_none()
        if row is None:
            raise rows.unknown(name)
        return rows.collection(row)
