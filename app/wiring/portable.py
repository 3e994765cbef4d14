"""Settings in, long work out: export, import, backup and restore, without networks being opened."""

from collections.abc import Callable

from app.database.connection import Database
from app.errors import NetworkError
from app.gallery.store.bulk import BulkWriter
from app.gallery.store.identities import IdentityStore
from app.gallery.store.snapshot import CollectionExporter
from app.gallery.store.values import Collection
from app.transfer.archive_export import Export
from app.transfer.archive_import import ArchiveImport
from app.transfer.embeddings_import import EmbeddingsImport
from app.vision.inference.packs import Packs

CatchUp = Callable[[Collection, int], None]


def nobody_waits(_collection: Collection, _revision: int) -> None:
    """Bring no index forward: for commands, after which services follow by themselves."""


def open_export(packs: Packs, database: Database) -> Export:
    """Return what exports collections of a database."""
    known = networks_of(packs)

    def network_of(model: str) -> str | None:
        found = known(model)
        return next(iter(found)) if len(found) == 1 else None

    return Export(CollectionExporter(database.engine, database.vault), network_of)


def open_archive_import(packs: Packs, database: Database, catch_up: CatchUp = nobody_waits) -> ArchiveImport:
    """Return what imports archives into a database; `catch_up` is the gallery's where there is one."""
    store, incoming = IdentityStore(database.engine, database.vault), BulkWriter(database.engine, database.vault)
    return ArchiveImport(store, incoming, networks_of=networks_of(packs), catch_up=catch_up)


def open_embeddings_import(database: Database, catch_up: CatchUp = nobody_waits) -> EmbeddingsImport:
    """Return what imports embeddings into a database; `catch_up` as above."""
    store, incoming = IdentityStore(database.engine, database.vault), BulkWriter(database.engine, database.vault)
    return EmbeddingsImport(store, incoming, catch_up=catch_up)


def networks_of(packs: Packs) -> Callable[[str], frozenset[str]]:
    """Return what tells the SHA-256 of all network files that are known here under a model's name."""

    def known(model: str) -> frozenset[str]:
        found = set()
        for manifest in packs.manifests():
            if manifest.embedder is not None and manifest.embedder.model == model:
                try:
                    found.add(packs.source_sha256(manifest, manifest.embedder.file))
                except NetworkError:  # its record is damaged, which is no matter here
                    continue
        return frozenset(found - {"unknown"})

    return known
