"""The database of a history: engines of replicas whose transactions and statements are pauses of the scheduler."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Engine, event, select

from app.database.engine import _begin_immediate, open_engine
from app.database.tables import CollectionTable, FaceTable, IdentityTable
from app.errors import DatabaseUnavailable
from tests.gallery.histories.history import MODELS
from tests.gallery.histories.model import ModelPerson, State
from tests.gallery.histories.scheduler import Scheduler, Task
from tests.gallery.histories.vectors import vector_of

_BETWEEN_STATEMENTS = 0.2  # chance of a pause before a statement


class HistoryDatabase:
    """Engines for a database of one URL; a history at a time uses them.

    One writer at a time holds `_writer`, as it would hold the lock in the database: a task that waits for the real lock
    would stop all others.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._engines: dict[str, Engine] = {}
        self._raw: dict[str, list[Any]] = {}
        self._scheduler: Scheduler | None = None
        self._writer: tuple[Task, Any] | None = None
        self._cut_off: set[str] = set()
        self._observer = open_engine(url)
        self._watching: Any = None

    def engine(self, replica: str) -> Engine:
        """Return the engine of a replica."""
        if replica not in self._engines:
            self._engines[replica] = engine = open_engine(self._url)
            self._raw[replica] = []
            event.listen(engine, "connect", lambda raw, _: self._raw[replica].append(raw))
            if engine.dialect.name == "sqlite":
                event.remove(engine, "begin", _begin_immediate)
            event.listen(engine, "begin", lambda connection: self._begin(replica, connection))
            if engine.dialect.name == "sqlite":
                event.listen(engine, "begin", _begin_immediate)  # after ours, which waits for the lock
            event.listen(engine, "before_cursor_execute", lambda *_: self._pause("statement", _BETWEEN_STATEMENTS))
            event.listen(engine, "checkin", lambda raw, _: self._end(raw))
        return self._engines[replica]

    @contextmanager
    def used_by(self, scheduler: Scheduler) -> Iterator[None]:
        """Context manager: a history that uses the database."""
        self._scheduler, self._writer, self._cut_off = scheduler, None, set()
        try:
            yield
        finally:
            self._scheduler = None
            for replica, engine in self._engines.items():
                engine.dispose()
                for raw in self._raw[replica]:
                    raw.close()
                self._raw[replica].clear()
            if self._watching is not None:
                self._watching.close()
            self._watching = None
            self._observer.dispose()

    def cut_off(self, replica: str, *, is_cut_off: bool) -> None:
        """Separate a replica from the database: its transactions fail to start."""
        (self._cut_off.add if is_cut_off else self._cut_off.discard)(replica)

    def abandon(self, replica: str, dead: list[Task]) -> None:
        """Roll back what a dead replica had open, as the database does when a connection breaks."""
        engine = self._engines[replica]
        engine.dispose()  # a new pool; this closes the connections that are idle
        for raw in self._raw[replica]:
            with suppress(engine.dialect.loaded_dbapi.Error):  # it is closed
                raw.rollback()
        if self._writer is not None and self._writer[0] in dead:
            self._writer = None

    def revision(self) -> int:
        """Return the committed revision of the collection."""
        if self._watching is None:
            self._watching = self._observer.raw_connection()
        cursor = self._watching.cursor()
        cursor.execute("SELECT revision FROM collections")  # there is one
        row = cursor.fetchone()
        self._watching.rollback()
        return 0 if row is None else int(row[0])

    def faces(self) -> list[tuple[str, str]]:
        """Return the committed faces with their owners."""
        with self._observer.execution_options(is_reader=True).connect() as connection:
            query = select(FaceTable.face_id, IdentityTable.identity_id).join(
                IdentityTable, IdentityTable.id == FaceTable.identity_key
            )
            return [(row[0], row[1]) for row in connection.execute(query.order_by(FaceTable.id))]

    def keys(self) -> set[int]:
        """Return the keys of the committed faces."""
        with self._observer.execution_options(is_reader=True).connect() as connection:
            return set(connection.scalars(select(FaceTable.id)))

    def state(self) -> State:
        """Return the content of the database; raises AssertionError if it contradicts itself."""
        with self._observer.execution_options(is_reader=True).connect() as connection:
            collection = connection.execute(select(CollectionTable.__table__)).mappings().one()
            people = connection.execute(select(IdentityTable.__table__)).mappings().all()
            faces = connection.execute(select(FaceTable.__table__)).mappings().all()
        assert (collection["identities"], collection["faces"]) == (len(people), len(faces)), "wrong counts"
        assert collection["dimension"] == MODELS[collection["model"]], "vectors of another length"
        found = {each["id"]: (each["identity_id"], ModelPerson()) for each in people}
        for each in people:
            person = found[each["id"]][1]
            person.name, person.is_over = each["name"], each["expires_at"] is not None
        for each in faces:
            assert each["model"] == collection["model"], "a face of another model"
            assert each["embedding"] == vector_of(each["face_id"], each["model"]).tobytes(), "another's template"
            found[each["identity_key"]][1].faces[each["face_id"]] = each["image_sha256"]
        return State(collection["model"], dict(found.values()))

    def _pause(self, at: str, chance: float = 1.0) -> None:
        if self._scheduler is not None:
            self._scheduler.pause(at, chance)

    def _begin(self, replica: str, connection: Any) -> None:
        scheduler = self._scheduler
        if scheduler is None or scheduler.current is None:
            return
        is_reader = connection.get_execution_options().get("is_reader", False)
        scheduler.pause("begin" if is_reader else "begin to write")
        if replica in self._cut_off:
            raise DatabaseUnavailable("the network is cut")
        if not is_reader:
            scheduler.wait("database lock", lambda: self._writer is None)
            self._writer = scheduler.current, connection.connection.dbapi_connection

    def _end(self, raw: Any) -> None:
        if self._writer is not None and self._writer[1] is raw:
            self._writer = None
            self._pause("committed")
