"""`arcid export`, `import-archive`, `import-embeddings`: move galleries between installations."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.default_collection import ensure_default
from app.cli.names import new_name
from app.cli.output import Console
from app.cli.progress import progress_bar
from app.cli.serve import prepare_database
from app.config import read_settings
from app.container import Container
from app.observability.counted import counted
from app.wiring.resources import DEFAULT_COLLECTION


def export(
    collection: Annotated[str, typer.Argument(help="Name of the collection.")],
    file: Annotated[Path, typer.Argument(help="The archive to write, such as people.zip.")],
) -> None:
    """Write a collection to a portable archive, even while the service runs."""
    settings = read_settings()
    with Container(settings) as container:
        container.database.occupy()
        ensure_default(container, collection)
        with progress_bar("export") as bar:
            done = container.archive_export.write(collection, file, bar)
    _print(
        f"{file}: {counted(done.faces, 'face')} of {counted(done.identities, 'person', 'people')}, "
        f"revision {done.collection.revision}"
    )


def import_archive(
    file: Annotated[Path, typer.Argument(help="An archive that `arcid export` wrote.")],
    collection: Annotated[str | None, typer.Option(help="Target collection; default: the archive's name.")] = None,
    *,
    new_face_ids: Annotated[
        bool, typer.Option("--new-face-ids", help="Assign new face ids, to copy a collection within one database.")
    ] = False,
) -> None:
    """Import a portable archive. Faces that exist already are skipped, so it may be repeated."""
    if collection is not None:
        new_name(collection)
    settings = read_settings()
    prepare_database(settings)
    with Container(settings) as container:
        container.database.occupy()
        with progress_bar("import") as bar:
            done = container.archive_import.run(file, bar, collection=collection, has_new_face_ids=new_face_ids)
    _print(
        f"{done.collection}: {counted(done.faces, 'new face')}, "
        f"{counted(done.identities, 'new person', 'new people')}, {counted(done.skipped, 'face')} existed already"
    )


def import_embeddings(
    file: Annotated[Path, typer.Argument(help="NDJSON: identity_id, embedding, and name, metadata, quality if known.")],
    model: Annotated[str, typer.Option(help="Network that made the embeddings; must be the collection's.")],
    collection: Annotated[str, typer.Option(help="Target collection.")] = DEFAULT_COLLECTION,
) -> None:
    """Import embeddings from elsewhere; if lines are refused, the rest is imported and the exit status is 1."""
    settings = read_settings()
    prepare_database(settings)
    with Container(settings) as container:
        container.database.occupy()
        ensure_default(container, collection)
        with progress_bar("import") as bar:
            done = container.embeddings_import.run(file, bar, collection=collection, model=model)
    _print(
        f"{collection}: {counted(done.faces, 'new face')}, {counted(done.identities, 'new person', 'new people')}, "
        f"{counted(done.skipped, 'face')} existed already, "
        f"{counted(done.refused, 'line')} refused"
    )
    if done.refused:
        raise typer.Exit(1)


def _print(line: str) -> None:
    Console().print(line, highlight=False, soft_wrap=True)
