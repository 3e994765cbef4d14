"""`arcid import`: enroll photos of many people, with a progress bar and a list of refused files."""

import csv
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from app.cli.default_collection import ensure_default
from app.cli.output import Console, show
from app.cli.serve import prepare_database, use_one_arena
from app.config import read_settings
from app.container import Container
from app.errors import JobCancelled
from app.observability.counted import counted
from app.observability.printable import cell, one_line
from app.recognition.accepted_faces import AcceptedFace
from app.recognition.face_choice import FaceChoice
from app.transfer.bulk_enrollment import BulkEnrollment
from app.transfer.photo_import import PhotoImport
from app.transfer.photo_sources import open_source
from app.transfer.text_encodings import Encoding
from app.wiring.batching import threads_of
from app.wiring.resources import DEFAULT_COLLECTION

_SHOWN = 50
SOME_REFUSED, CANCELLED = 3, 130


class Shown:
    """The progress of a command: a bar, and a list of refused items.

    It has no checkpoint, because a repeated run skips enrolled photos.
    """

    checkpoint: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, bars: Bars, what: str = "photos") -> None:
        self.refused: list[tuple[str, str, str]] = []
        self.done = 0
        self._bars = bars
        self._task = bars.add_task(what, total=None)
        self._is_ending = False

    def advance(self, done: int, *, total: int | None = None, checkpoint: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002 - Progress's signature
        """See `Progress`."""
        self.done = done
        self._bars.update(self._task, completed=done, total=total)
        if self._is_ending:
            raise JobCancelled("it was asked to stop")

    def refuse(self, item: str, code: str, detail: str) -> None:
        """See `Progress`."""
        self.refused.append((item, code, detail))

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Stop cleanly at the first Ctrl-C or SIGTERM, and immediately at the second."""

        def end(number: int, _frame: FrameType | None) -> None:
            self._is_ending = True
            signal.signal(number, before[signal.Signals(number)])

        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            for number in before:
                signal.signal(number, end)
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def import_photos(
    source: Annotated[Path, typer.Argument(help="A folder person/photo.jpg, a ZIP of one, or a CSV file.")],
    *,
    collection: Annotated[str, typer.Option(help="Name of the collection, which must exist.")] = DEFAULT_COLLECTION,
    face: Annotated[
        FaceChoice, typer.Option(help="Several faces: take the main one if clear (main), always (largest), or none.")
    ] = FaceChoice.MAIN,
    flat: Annotated[bool, typer.Option("--flat", help="Photos are person.jpg instead of person/photo.jpg.")] = False,
    encoding: Annotated[
        Encoding | None, typer.Option(help="Encoding of a list, or of names in a ZIP, without a Unicode mark.")
    ] = None,
    errors: Annotated[Path | None, typer.Option(help="CSV file for the list of refused files.")] = None,
) -> None:
    """Enroll photos of many people. A repeated run skips those that are enrolled already.

    Exit status 3 if files were refused; 130 after Ctrl-C or SIGTERM.
    """
    use_one_arena()
    settings = read_settings()
    prepare_database(settings)
    result: Mapping[str, int] | None = None
    with open_source(source, is_flat=flat, encoding=encoding) as opened, Container(settings) as container:
        work = open_import(container, collection, face)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Bars(*columns, console=Console(stderr=True)) as bars:
            shown = Shown(bars)
            with shown.stoppable(), suppress(JobCancelled):
                result = work.run(opened, shown)
    _list(shown.refused, errors)
    if result is None:
        _say(f"stopped after {counted(shown.done, 'photo')}; run the same command again to continue")
        raise typer.Exit(CANCELLED)
    _say(
        f"{result['enrolled']} enrolled ({counted(result['new_people'], 'new person', 'new people')}), "
        f"{result['known']} skipped that were enrolled before, {result['refused']} refused, of "
        f"{counted(result['photos'], 'photo')}"
    )
    if shown.refused:
        raise typer.Exit(SOME_REFUSED)


def _say(text: str) -> None:
    Console().print(text, highlight=False, soft_wrap=True)


def open_import(container: Container, collection: str, choice: FaceChoice) -> PhotoImport[AcceptedFace]:
    """Open a collection and its networks for an import; a running service picks up the new faces.

    Raises NetworkError's children, SchemaOutdated, CollectionUnknown, ModelMismatch.
    """
    ensure_default(container, collection)
    container.registry.analysis_of(container.gallery.require(collection))
    container.save_snapshots_on_close()
    bulk = BulkEnrollment(container.enrollment, container.gallery, collection, choice)
    settings = container.settings
    return PhotoImport(bulk, threads=threads_of(settings), most_bytes=settings.limits.photo_bytes, is_polite=False)


def _list(refused: list[tuple[str, str, str]], path: Path | None) -> None:
    if path is not None:
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(map(cell, row) for row in [("file", "code", "detail"), *refused])
    if not refused:
        return
    table = Table("file", "code", "detail", box=None)
    for row in refused[:_SHOWN]:
        table.add_row(*map(one_line, row))
    show(table)
    if len(refused) > _SHOWN:
        where = f"all of them are in {path}" if path else "--errors FILE writes them all"
        Console().print(f"... and {len(refused) - _SHOWN} more; {where}", highlight=False, soft_wrap=True)
