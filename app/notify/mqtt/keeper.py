"""The thread that keeps the connections to brokers, and their content in agreement with the database."""

import time
from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app.database.camera_table import CameraTable
from app.database.tables import CollectionTable, IdentityTable
from app.notify.destination import DestinationKind
from app.notify.destination_store import DestinationStore
from app.notify.mqtt.publisher import Person
from app.notify.mqtt.sender import MqttSender
from app.periodic_worker import PeriodicWorker

_EVERY_S = 5.0
_CHECK_EVERY_S = 600.0
_AT_ONCE = 500


class MqttKeeper(PeriodicWorker):
    """A thread that keeps a connection to each enabled destination, so that its status is `online` from the start.

    It also deletes what brokers retain about deleted cameras, and about people who are not enrolled any more, even if
    the destination gets no events about people.
    """

    def __init__(
        self,
        engine: Engine,
        store: DestinationStore,
        sender: MqttSender,
        *,
        every: float = _EVERY_S,
        check_every: float = _CHECK_EVERY_S,
    ) -> None:
        super().__init__("mqtt", every=every)
        self._engine = engine.execution_options(is_reader=True)
        self._store = store
        self._sender = sender
        self._check_every = check_every
        self._check_at = time.monotonic()
        self._cameras: set[str] = set()

    def step(self) -> None:
        """Connect to new destinations, disconnect from deleted ones, and look for deleted people and cameras."""
        self._sender.keep(self._store.urls(DestinationKind.MQTT))
        cameras = self._stored_cameras()
        is_due = time.monotonic() >= self._check_at
        if is_due or self._cameras - cameras:
            self._sender.keep_cameras(cameras)
        self._cameras = cameras
        if is_due:
            self._sender.keep_people(self._known)
            self._check_at = time.monotonic() + self._check_every

    def stop(self) -> None:
        """Stop, and close all connections."""
        super().stop()
        self._sender.close()

    def _stored_cameras(self) -> set[str]:
        with Session(self._engine) as session:
            return set(session.scalars(select(CameraTable.camera_id)))

    def _known(self, people: Collection[Person]) -> set[Person]:
        """Return those of these people who are enrolled."""
        known: set[Person] = set()
        with Session(self._engine) as session:
            for collection in {each for each, _ in people}:
                ids = [identity_id for each, identity_id in people if each == collection]
                known.update((collection, each) for each in _enrolled(session, collection, ids))
        return known


def _enrolled(session: Session, collection: str, ids: Sequence[str]) -> Iterator[str]:
    enrolled = select(IdentityTable.identity_id).join(
        CollectionTable, CollectionTable.id == IdentityTable.collection_id
    )
    for start in range(0, len(ids), _AT_ONCE):
        chunk = IdentityTable.identity_id.in_(ids[start : start + _AT_ONCE])
        yield from session.scalars(enrolled.where(CollectionTable.name == collection, chunk))
