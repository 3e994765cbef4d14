"""The CSV of groups: one row for each person or photo, with any columns. It assigns each photo a person and groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

import numpy as np

from app.errors import EvaluationInvalid
from app.evaluation.protocols import cells_of, read_lines
from app.evaluation.values import Ints, Photo

NOT_STATED = -1
_BLANKS = {"", "na", "n/a", "nan", "null"}
_MOST_GROUPS = 50
_MOST_NUMBERS = 12  # a column with more different numbers needs bands

Row = Mapping[str, str]


class Match(StrEnum):
    """The part of a photo's path that the id of a row names."""

    FILE = "file"
    FOLDER = "folder"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class GroupColumns:
    """Columns of the CSV: of the id (default: the first) and of the person; `bands` are edges of numeric columns.

    Each of `by` is a grouping: one column, or several joined by `+` (a crossing).
    """

    by: tuple[str, ...]
    bands: Mapping[str, tuple[int, ...]]
    id: str | None = None
    person: str | None = None


@dataclass(frozen=True, slots=True)
class Grouping:
    """A grouping of photos: the names of the groups, and the group of each photo (n,), or NOT_STATED."""

    name: str
    groups: tuple[str, ...]
    of_photo: Ints


@dataclass(frozen=True, slots=True)
class GroupedPhotos:
    """The photos that have a row in the CSV, each with its person, and their groupings."""

    photos: tuple[Photo, ...]
    groupings: tuple[Grouping, ...]
    match: Match
    photos_without_row: int
    rows_without_photo: int


def read_groups(file: Path, photos: Sequence[Photo], columns: GroupColumns, match: Match | None) -> GroupedPhotos:
    """Assign the rows of a CSV to photos.

    Without `match`, the ids decide: exactly one part of the paths may occur among them. Raises EvaluationInvalid if
    the CSV is not valid, or if no photo has a row.
    """
    rows = _read_rows(file, columns)
    way = match or _matching_part(file, photos, rows)
    ids = [_part(photo, way) for photo in photos]
    taken = [(photo, identifier) for photo, identifier in zip(photos, ids, strict=True) if identifier in rows]
    if not taken:
        raise EvaluationInvalid(
            f"no photo has a row in {file}: its ids are like {next(iter(rows))}, the photos like {photos[0].name}"
        )
    chosen = [rows[identifier] for _, identifier in taken]
    people = [_person(photo, identifier, rows[identifier], columns, way) for photo, identifier in taken]
    return GroupedPhotos(
        tuple(Photo(photo.name, photo.source, person) for (photo, _), person in zip(taken, people, strict=True)),
        tuple(_grouping(name, chosen, columns.bands) for name in columns.by),
        way,
        len(photos) - len(taken),
        len(rows.keys() - set(ids)),
    )


def read_bands(options: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Read bands in the form `COLUMN:EDGE,EDGE`, with ascending whole numbers.

    Raises EvaluationInvalid if one has another form.
    """
    bands = {}
    for option in options:
        column, _, numbers = option.rpartition(":")
        edges = [number.strip() for number in numbers.split(",")]
        if not column or not all(edge.isdigit() for edge in edges):
            raise EvaluationInvalid(f"bands are given as COLUMN:25,35 in whole numbers, not {option}")
        bands[column] = tuple(map(int, edges))
        if list(bands[column]) != sorted(set(bands[column])):
            raise EvaluationInvalid(f"the edges of bands must ascend: {option}")
    return bands


def band(value: float, edges: Sequence[int]) -> str:
    """Return the name of the band of a value; an edge belongs to the band above it."""
    index = int(np.searchsorted(edges, value, "right"))
    if index == 0:
        return f"under {edges[0]}"
    if index == len(edges):
        return f"{edges[-1]} and over"
    low, high = edges[index - 1], edges[index] - 1
    return f"{low}" if low == high else f"{low} to {high}"


def _read_rows(file: Path, columns: GroupColumns) -> dict[str, Row]:
    """Return the rows by their ids."""
    header, *table = cells_of(read_lines(file))
    named = [columns.id or header[0], *([columns.person] if columns.person else [])]
    wanted = [*named, *(part for name in columns.by for part in name.split("+")), *columns.bands]
    for column in wanted:
        if column not in header:
            raise EvaluationInvalid(f"{file} has no column {column}; its columns are {', '.join(header)}")
    rows: dict[str, Row] = {}
    for number, cells in enumerate(table, 2):
        row = dict(zip(header, cells, strict=False))
        if len(cells) != len(header) or not row[named[0]]:
            raise EvaluationInvalid(f"{file}, row {number}: {len(cells)} cells for {len(header)} columns, or no id")
        if row[named[0]] in rows:
            raise EvaluationInvalid(f"{file}, row {number}: the id {row[named[0]]} occurs twice")
        rows[row[named[0]]] = row
    if not rows:
        raise EvaluationInvalid(f"{file} has no rows below its header")
    return rows


def _matching_part(file: Path, photos: Sequence[Photo], rows: Mapping[str, Row]) -> Match:
    matching = [way for way in Match if any(_part(photo, way) in rows for photo in photos)]
    if len(matching) > 1:
        raise EvaluationInvalid(
            f"the ids of {file} occur as {' and as '.join(matching)} of photos; name one of them with --match"
        )
    return matching[0] if matching else Match.NAME


def _part(photo: Photo, way: Match) -> str:
    path = PurePosixPath(photo.name)
    return {Match.FILE: photo.name, Match.FOLDER: path.parent.name, Match.NAME: path.stem}[way]


def _person(photo: Photo, identifier: str, row: Row, columns: GroupColumns, way: Match) -> str:
    if columns.person:
        return row[columns.person]
    if way is not Match.FILE:
        return identifier
    if "/" not in photo.name:
        raise EvaluationInvalid(f"the person of {photo.name} is unknown: name the column of the person with --person")
    return PurePosixPath(photo.name).parent.name


def _grouping(name: str, rows: Sequence[Row], bands: Mapping[str, tuple[int, ...]]) -> Grouping:
    """Return a grouping; bands ascend, other groups are in alphabetical order."""
    columns = [_column(part, [row[part] for row in rows], bands.get(part)) for part in name.split("+")]
    places = list(zip(*columns, strict=True))  # of each row, one (rank, label) per column
    is_stated = [all(label for _, label in cells) for cells in places]
    groups = sorted({cells for cells, stated in zip(places, is_stated, strict=True) if stated})
    if len(groups) > _MOST_GROUPS:
        raise EvaluationInvalid(f"{name} has {len(groups)} groups, more than {_MOST_GROUPS}")
    of_photo = [groups.index(cells) if stated else NOT_STATED for cells, stated in zip(places, is_stated, strict=True)]
    labels = tuple(", ".join(label for _, label in cells) for cells in groups)
    return Grouping(name, labels, np.array(of_photo, np.intp))


def _column(name: str, values: Sequence[str], edges: tuple[int, ...] | None) -> list[tuple[int, str]]:
    """Return the rank and the name of the group of each value; the name is empty if none is stated."""
    stated = [value if value.lower() not in _BLANKS else "" for value in values]
    if edges is None:
        if len(set(stated)) > _MOST_NUMBERS and all(map(_is_number, filter(None, stated))):
            raise EvaluationInvalid(f"{name} has {len(set(stated))} numbers: divide them with --bands {name}:30,50")
        return [(0, value) for value in stated]
    for value in filter(None, stated):
        if not _is_number(value):
            raise EvaluationInvalid(f"{name} has bands, but {value} is not a number")
    return [
        (int(np.searchsorted(edges, float(value), "right")), band(float(value), edges)) if value else (0, "")
        for value in stated
    ]


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
