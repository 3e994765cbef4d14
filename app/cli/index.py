"""`arcid index`: compare indexes with the database, and rebuild them."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from app.cli.default_collection import ensure_default
from app.cli.output import Console, show
from app.config import Settings, read_settings
from app.container import Container
from app.errors import IndexUnusable
from app.gallery.index.kinds import kind_of_size
from app.gallery.index.recall import measure, probes_of
from app.gallery.index.storage.snapshot_manifest import read_manifest
from app.gallery.index_check import Differences, differences
from app.gallery.index_projection import Projection
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Collection
from app.observability.counted import counted
from app.recognition.decisions.calibration.templates import comparisons_among
from app.types import IndexKind, Keys
from app.wiring.projections import snapshot_folder
from app.wiring.resources import DEFAULT_COLLECTION

cli = typer.Typer(
    help="Show, check, measure and rebuild the search indexes that are made from the database.", no_args_is_help=True
)

Name = Annotated[str | None, typer.Argument(help="Name of the collection; default: all of them.")]
_SHOWN = 5  # keys of a difference
_TRIES = 5  # attempts, because writes of a running service disturb a comparison
_LIKE = 0.6  # about the median similarity of two photos of one person
_MEASURED = ("recall@1", "recall@10", "same decision")


@cli.command()
def status() -> None:
    """Print what is enrolled in each collection, its index, and its snapshot in the data folder."""
    settings = read_settings()
    table = Table("collection", "index", "faces", "revision", "snapshot", box=None)
    with Container(settings) as container:
        for each in container.store.collections():
            kind, snapshot = _kind(settings, each), _snapshot(settings, each)
            table.add_row(each.name, kind, str(each.faces), str(each.revision), snapshot)
    show(table)


@cli.command()
def rebuild(name: Name = None) -> None:
    """Rebuild indexes from the database and replace their snapshots, even while the service runs."""
    with Container(read_settings()) as container:
        for collection, projection in _projections(container, name):
            projection.rebuild()
            projection.save()
            index = projection.index
            Console().print(f"{collection.name}: {counted(index.count(), 'face')}, {index.kind}", highlight=False)


@cli.command()
def verify(name: Name = None) -> None:
    """Compare indexes, as a starting replica loads them, with the database; exit status 1 if any differs."""
    is_same = True
    with Container(read_settings()) as container:
        for collection, projection in _projections(container, name):
            projection.open()
            found = _compared(container.store, collection, projection)
            is_same &= found.is_empty()
            Console().print(f"{collection.name}: {_described(found, projection)}", highlight=False)
    if not is_same:
        raise typer.Exit(1)


@cli.command()
def recall(
    name: Annotated[str, typer.Argument(help="Name of the collection.")] = DEFAULT_COLLECTION,
    probes: Annotated[int, typer.Option(min=1, help="Number of faces to search for.")] = 200,
) -> None:
    """Compare an index with exact search on your own faces, for probes at several similarities."""
    with Container(read_settings()) as container:
        for collection, projection in _projections(container, name):
            projection.open()
            index = projection.index
            threshold = (
                container.registry.policy_of(collection)
                .for_identification(comparisons_among(collection.identities, collection.faces))
                .threshold
            )
            if not index.count():
                Console().print(f"{collection.name}: no faces, so there is nothing to compare", highlight=False)
                continue
            drawn = np.random.default_rng(0).permutation(index.keys())[:probes]
            vectors = index.vectors(drawn)
            table = Table(f"{collection.name}, {index.kind}, {counted(index.count(), 'face')}", *_MEASURED, box=None)
            for cosine in (_LIKE, threshold):
                found = measure(index, probes_of(vectors, cosine), threshold=threshold)
                shares = (found.at_1, found.at_10, found.decisions)
                table.add_row(f"probes at similarity {cosine:.2f}", *(f"{share:.4f}" for share in shares))
            show(table)


def _projections(container: Container, name: str | None) -> Iterator[tuple[Collection, Projection]]:
    """Yield the unopened projections of one or all collections; each is closed before the next."""
    store = container.store
    if name is not None:
        ensure_default(container, name)
    for collection in store.collections() if name is None else [store.collection(name)]:
        projection = container.projections.new(collection)
        try:
            yield collection, projection
        finally:
            projection.close()


def _compared(store: IdentityStore, collection: Collection, projection: Projection) -> Differences:
    """Compare at a moment without writes, if there is one within a few attempts."""
    for _ in range(_TRIES):
        projection.catch_up(store.collection(collection.name).revision)
        found = differences(store, collection, projection.index)
        if found.is_empty() or store.collection(collection.name).revision <= projection.revision():
            break
    return found


def _kind(settings: Settings, collection: Collection) -> str:
    """Return the setting, and in brackets the index in use where the setting leaves it open."""
    setting = IndexKind(collection.index_kind or settings.index)
    used = kind_of_size(setting, collection.faces, collection.dimension).value
    folder = snapshot_folder(settings, collection)
    if setting is not IndexKind.MILVUS and folder.is_dir():
        with suppress(IndexUnusable):
            used = read_manifest(folder).kind
    return setting.value if used == setting else f"{setting} ({used})"


def _snapshot(settings: Settings, collection: Collection) -> str:
    folder = snapshot_folder(settings, collection)
    if not folder.is_dir():
        return "none"
    try:
        manifest = read_manifest(folder)
    except IndexUnusable as error:
        return str(error)
    rows = sum(segment.rows for segment in manifest.segments)
    size = sum(path.stat().st_size for path in Path(folder).iterdir() if path.is_file())
    stored = f"{counted(rows, 'face')} in {counted(len(manifest.segments), 'file')}"
    return f"revision {manifest.revision}, {manifest.kind}, {stored}, {size:,} bytes"


def _described(found: Differences, projection: Projection) -> str:
    if found.is_empty():
        return f"{counted(projection.index.count(), 'face')}, as in the database at revision {projection.revision()}"
    named = {"missing": found.missing, "not enrolled": found.foreign, "of another vector or person": found.changed}
    return "; ".join(f"{len(keys)} {what} ({_some(keys)})" for what, keys in named.items() if len(keys))


def _some(keys: Keys) -> str:
    shown = ", ".join(map(str, np.sort(keys)[:_SHOWN].tolist()))
    return f"keys {shown}, ..." if len(keys) > _SHOWN else f"keys {shown}"
