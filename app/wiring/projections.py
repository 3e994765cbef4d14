"""Settings in, projections out: which index a collection has, and what feeds it."""

from pathlib import Path

from app.config import Settings
from app.database.connection import Database
from app.errors import PlainIndexRefused, SettingsInvalid
from app.gallery.index.kinds import DEVICE_INDEXES, LOCAL_INDEXES
from app.gallery.index.milvus import MilvusIndex
from app.gallery.index.milvus_engine import connect
from app.gallery.index.storage.snapshot import purge_plain
from app.gallery.index_projection import LocalProjection, Projection, purge_stale
from app.gallery.shared_projection import SharedProjection
from app.gallery.store.change_log import ChangeLog
from app.gallery.store.identities import IdentityStore
from app.gallery.store.shared_revisions import SharedIndexes
from app.gallery.store.values import Collection
from app.types import IndexKind


class Projections:
    """Makes the projection of a collection; see `new`."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._vault = database.vault
        self._store = IdentityStore(database.engine, database.vault)
        self._log = ChangeLog(database.engine)
        self._shared = SharedIndexes(database.engine)

    def new(self, collection: Collection) -> Projection:
        """Return a projection that is not open yet; raises SettingsInvalid, ProviderUnavailable, IndexUnavailable."""
        kind = IndexKind(collection.index_kind or self._settings.index)
        if kind is IndexKind.MILVUS:
            self._require_accepted(collection)
            index = self._milvus(collection)
            return SharedProjection(
                collection, self._store, self._log, shared=self._shared, index=index, drop=index.drop
            )
        folder = snapshot_folder(self._settings, collection)
        sealer = self._vault if self._vault.is_on else None
        return LocalProjection(
            collection, self._store, self._log, new_index=LOCAL_INDEXES[kind], folder=folder, sealer=sealer
        )

    def purge_plain(self) -> None:
        """With encryption, delete all snapshots in the data folder that are in plain, of whatever collection."""
        folder = self._settings.data_dir / "index"
        if self._vault.is_on and folder.is_dir():
            for each in folder.iterdir():
                purge_plain(each)

    def purge_stale(self) -> None:
        """Delete the snapshots in the data folder of collections that no longer exist, or that moved to a network."""
        purge_stale(self._settings.data_dir / "index", self._store)

    def kinds(self) -> frozenset[str]:
        """Return the kinds of index that a collection can have here."""
        kinds = (LOCAL_INDEXES.keys() - DEVICE_INDEXES) | {self._settings.index}
        if self._settings.milvus.address is not None and self._is_plain_accepted():
            kinds.add(IndexKind.MILVUS)
        return frozenset(kind.value for kind in kinds)

    def _is_plain_accepted(self) -> bool:
        return not self._vault.is_on or self._settings.encryption.allow_plain_index

    def _require_accepted(self, collection: Collection) -> None:
        if not self._is_plain_accepted():
            raise PlainIndexRefused(
                f"collection {collection.name!r} is searched by Milvus, which holds templates in plain: choose "
                "another index, or say that this is accepted: ARCID_ENCRYPTION__ALLOW_PLAIN_INDEX=true"
            )

    def _milvus(self, collection: Collection) -> MilvusIndex:
        address, token = self._settings.milvus.address, self._settings.milvus.token
        if address is None:
            raise SettingsInvalid("the index milvus needs ARCID_MILVUS__ADDRESS")
        client = connect(address, token.get_secret_value() if token else "")
        return MilvusIndex(client, f"arcid_{collection.uid.replace('-', '')}", collection.dimension)


def snapshot_folder(settings: Settings, collection: Collection) -> Path:
    """Return where the snapshot of a collection lies, or would."""
    return settings.data_dir / "index" / collection.uid
