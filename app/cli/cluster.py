"""`arcid cluster`: sort a folder of photos into people whom nobody has named."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from app.cli.counting import counting
from app.cli.error_line import error_line
from app.cli.output import Console, show
from app.config import read_settings
from app.errors import SettingsInvalid
from app.observability.counted import counted
from app.observability.printable import cell, one_line
from app.recognition.clustering.grouping_rule import DEFAULT_MAX_FALSE
from app.transfer.sorting.people_folder import STATE, PeopleFolder, Placing, photos_of_groups
from app.transfer.sorting.photo_sorting import PhotoSorting, SortedPhoto
from app.transfer.sorting.photo_tree import TreePhoto, photos_below
from app.transfer.sorting.sorting_state import SortingState, read_state, write_state
from app.wiring.sorting import open_sorting

SOME_REFUSED = 3
_SHOWN = 50


def cluster(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of photos, at any depth.")],
    *,
    out: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder for a folder of each person, and faces.csv.")
    ] = None,
    copy: Annotated[bool, typer.Option("--copy/--link", help="Copy the photos, or make symbolic links.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each photo with its faces, one per line.")] = False,
    merge: Annotated[
        list[str] | None,
        typer.Option(metavar="KEPT,OTHER", help="Numbers of two groups that are one person. May be repeated."),
    ] = None,
    pack: Annotated[str | None, typer.Option(help="Pack instead of ARCID_PACK.")] = None,
    max_false: Annotated[
        float, typer.Option(help="Expected number of wrong links for each face, by the calibration.")
    ] = DEFAULT_MAX_FALSE,
    threshold: Annotated[
        float | None, typer.Option(min=-1, max=1, help="Similarity instead of the one for --max-false.")
    ] = None,
) -> None:
    """Sort a folder of photos into people whom nobody has named. A repeated run with --out adds new photos.

    Exit status 3 if photos were refused.
    """
    _check(folder, out, max_false)
    merges = [_pair(each, out) for each in merge or []]
    settings = read_settings()
    settings = settings if pack is None else settings.model_copy(update={"pack": pack})
    photos = photos_below(folder, besides=out)
    if not photos:
        raise SettingsInvalid(f"{folder} contains no photos")
    sorting, made_by = open_sorting(settings, max_false=max_false, threshold=threshold)
    results = _sort(sorting, photos, made_by, out, merges)
    people = PeopleFolder(out or folder, Placing.COPY if copy else Placing.LINK)
    if out is not None:
        people.place(results)
        _write_csv(sorting, results, people, out / "faces.csv")
    _report(sorting, results, people, out, as_json=as_json)
    if any(each.error is not None for each in results):
        raise typer.Exit(SOME_REFUSED)


def _check(folder: Path, out: Path | None, max_false: float) -> None:
    if not 0 < max_false < 1:
        raise SettingsInvalid(f"--max-false is a chance between 0 and 1, such as 1e-4, not {max_false:g}")
    if out is not None and out.resolve() == folder.resolve():
        raise SettingsInvalid("--out is the folder of the photos; name another, which may be inside it")


def _pair(text: str, out: Path | None) -> tuple[int, int]:
    """Return the two numbers of --merge."""
    kept, _, other = text.partition(",")
    if out is None or not (kept.isdecimal() and other.isdecimal()):
        raise SettingsInvalid(f"--merge takes two numbers of groups in --out, such as 18,7, not {text!r}")
    return int(kept), int(other)


def _sort(
    sorting: PhotoSorting,
    photos: Sequence[TreePhoto],
    made_by: str,
    out: Path | None,
    merges: Sequence[tuple[int, int]],
) -> list[SortedPhoto]:
    """Sort the photos, continuing from the state in `out` after the merges of groups."""
    if out is None:
        with counting("photos", len(photos)) as advance:
            return sorting.sort(photos, SortingState(made_by), advance)
    out.mkdir(parents=True, exist_ok=True)
    state = read_state(out / STATE, made_by)
    for kept, other in merges:
        state.merge(kept, other)
    try:
        with counting("photos", len(photos)) as advance:
            return sorting.sort(photos, state, advance)
    finally:  # also after Ctrl-C: the next run continues
        write_state(state, out / STATE)


def _report(
    sorting: PhotoSorting, results: Sequence[SortedPhoto], people: PeopleFolder, out: Path | None, *, as_json: bool
) -> None:
    """Print the photos as JSON, or a table of the people; list the refused photos on standard error."""
    if as_json:
        for each in results:
            typer.echo(json.dumps(_as_json(sorting, each)))
    else:
        _print(results, people, out)
    refused = [each for each in results if each.error is not None]
    errors = Console(stderr=True)
    for each in refused[:_SHOWN]:
        if each.error is not None:
            errors.print(one_line(f"{each.photo.label}: {error_line(each.error)}"), highlight=False, soft_wrap=True)
    if len(refused) > _SHOWN:
        errors.print(f"... and {len(refused) - _SHOWN} more", highlight=False)


def _print(results: Sequence[SortedPhoto], people: PeopleFolder, out: Path | None) -> None:
    groups = photos_of_groups(results)
    table = Table("person", "photos", "for example", box=None)
    for group, photos in groups[:_SHOWN]:
        example = next(each.photo.label for each in results if group in each.groups)
        table.add_row(one_line(people.name(group)), str(photos), one_line(example))
    if groups:
        show(table)
    if len(groups) > _SHOWN:
        Console().print(f"... and {len(groups) - _SHOWN} more", highlight=False)
    unsure = sum(each.is_unsure for each in results)
    empty = sum(not each.faces and each.error is None for each in results)
    refused = sum(each.error is not None for each in results)
    text = (
        f"{counted(len(groups), 'person', 'people')} on two photos or more, {counted(unsure, 'photo')} with none "
        f"of them, {empty} without a face, {refused} refused, of {counted(len(results), 'photo')}"
    )
    where = "; --out FOLDER sorts them" if out is None else f"; {out}"
    Console().print(one_line(text + where), highlight=False, soft_wrap=True)


def _as_json(sorting: PhotoSorting, each: SortedPhoto) -> dict[str, object]:
    faces = [
        {
            "box": [round(edge, 1) for edge in face.box],
            "quality": round(face.quality, 3),
            "group": face.group or None,
            "reason": sorting.place(face),
        }
        for face in each.faces
    ]
    return {"file": each.photo.label, "faces": faces, "error": each.error.code if each.error else None}


def _write_csv(sorting: PhotoSorting, results: Sequence[SortedPhoto], people: PeopleFolder, file: Path) -> None:
    """Write a row for each face, and one for each photo without a face."""
    head = ("file", "person", "group", "left", "top", "right", "bottom", "quality", "reason")
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(head)
        for each in results:
            label = cell(each.photo.label)
            if not each.faces:
                reason = "no_face" if each.error is None else each.error.code
                writer.writerow([label, *[""] * 7, reason])
            for face in each.faces:
                box = [f"{edge:.1f}" for edge in face.box]
                person = cell(people.name(face.group)) if face.group else ""
                place = sorting.place(face) or ""
                writer.writerow([label, person, face.group or "", *box, f"{face.quality:.3f}", place])
