"""Galleries for tests: with an index of choice, on a database of choice, with or without snapshots."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

from sqlalchemy import Engine

from app.gallery.gallery import Gallery
from app.gallery.index.flat import FlatIndex
from app.gallery.index.protocol import LocalIndex, VectorIndex
from app.gallery.index_check import Differences, differences
from app.gallery.index_projection import LocalProjection
from app.gallery.shared_projection import SharedProjection
from app.gallery.store.change_log import ChangeLog
from app.gallery.store.identities import IdentityStore
from app.gallery.store.shared_revisions import SharedIndexes


def gallery_on(
    engine: Engine,
    new_index: Callable[[int], VectorIndex] = FlatIndex,
    *,
    model: str,
    dimension: int,
    folder: Path | None = None,
    store: IdentityStore | None = None,
) -> Gallery:
    """Return a gallery of one replica; with a folder it keeps its snapshots there, which the index must be able to."""
    log, new = ChangeLog(engine), cast("Callable[[int], LocalIndex]", new_index)
    own_store = store or IdentityStore(engine)

    def projection(collection):
        own = folder / collection.uid if folder is not None else None
        return LocalProjection(collection, own_store, log, new_index=new, folder=own)

    return Gallery(own_store, projection, model=model, dimension=dimension)


def sharing(engine: Engine, index: VectorIndex, *, model: str, dimension: int) -> Gallery:
    """Return a gallery of one of the replicas that share an index; it is that of every collection."""
    store, log, shared = IdentityStore(engine), ChangeLog(engine), SharedIndexes(engine)

    def projection(collection):
        return SharedProjection(collection, store, log, shared=shared, index=index)

    return Gallery(store, projection, model=model, dimension=dimension)


def index_of(gallery: Gallery, name: str) -> VectorIndex:
    """Return the index that searches in a collection ask."""
    return gallery._projection(gallery.require(name)).index


def compared(engine: Engine, gallery: Gallery, name: str) -> Differences:
    """Compare the index of a collection with the database."""
    return differences(IdentityStore(engine), gallery.require(name), index_of(gallery, name))


def bytes_under(folder: Path) -> bytes:
    """Return the content of all files, one after the other."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
