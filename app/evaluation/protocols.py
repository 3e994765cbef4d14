"""Readers of evaluation sets: LFW's View 2, CSV, InsightFace's `.bin`, a folder of people.

docs/evaluation.md describes the formats and the assignment of pairs to folds.
"""

import csv
import os
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import NoReturn, TypeVar

import numpy as np

from app.errors import EvaluationInvalid
from app.evaluation.bin_format import read_bin
from app.evaluation.values import Ints, Pairs, Photo
from app.observability.counted import counted

FOLDS = 10
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif")
_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "-1": False, "false": False, "no": False}

Name = TypeVar("Name", bound=Hashable)

Row = tuple[str, str, bool]
"""The names of two photos, and whether they show one person."""


def read_lfw(file: Path, images: Path) -> Pairs:
    """Read a pairs file of LFW with photos `images/Name/Name_0001.jpg`.

    Raises EvaluationInvalid if a line is not a pair, or if their number is not that of the first line.
    """
    header, *lines = [line.split("\t") if "\t" in line else line.split() for line in read_lines(file) if line.strip()]
    if not all(part.strip().isdigit() for part in header) or len(header) not in {1, 2}:
        raise EvaluationInvalid(f"{file}: the first line must give the folds and the pairs of each kind per fold")
    folds, size = (1, int(header[0])) if len(header) == 1 else (int(header[0]), int(header[1]))
    if len(lines) != 2 * folds * size or not lines:
        raise EvaluationInvalid(f"{file} has {len(lines)} pairs; its first line announces 2 x {folds} x {size}")
    rows: list[Row] = []
    people: dict[str, str] = {}
    for index, line in enumerate(lines):
        is_same = index // size % 2 == 0
        if len(line) != (3 if is_same else 4) or not all(part.strip().isdigit() for part in (line[1], line[-1])):
            kind = "matched" if is_same else "mismatched"
            raise EvaluationInvalid(f"{file}, line {index + 2}: not a {kind} pair: {' '.join(line)}")
        other = line[0] if is_same else line[2]
        first, second = _lfw_name(images, line[0], line[1]), _lfw_name(images, other, line[-1])
        people |= {first: line[0], second: other}
        rows.append((first, second, is_same))
    numbers = np.arange(len(rows)) // (2 * size)
    return _pairs(rows, numbers if folds > 1 else consecutive(len(rows)), images, people)


def read_csv(file: Path, images: Path) -> Pairs:
    """Read pairs from a CSV: two photos and 1 or 0, with optional columns `fold`, `person1` and `person2`.

    Raises EvaluationInvalid if a line is not a pair, or if the file has none.
    """
    lines = read_lines(file)
    table = cells_of(lines)
    names = ["first", "second", "same"]
    if table and len(table[0]) > 2 and table[0][2].lower() not in _TRUTHS:
        names = [*names, *(name.lower() for name in table.pop(0)[3:])]
    rows: list[Row] = []
    folds: list[str | None] = []
    people: dict[str, str] = {}
    for number, cells in enumerate(table, len(lines) - len(table) + 1):
        row = dict(zip(names, cells, strict=False))
        if len(row) < len(names) or row["same"].lower() not in _TRUTHS:
            raise EvaluationInvalid(f"{file}, line {number}: not two photos and 1 or 0: {' '.join(cells)}")
        rows.append((row["first"], row["second"], _TRUTHS[row["same"].lower()]))
        folds.append(row.get("fold"))
        if "person1" in row and "person2" in row:
            people |= {row["first"]: row["person1"], row["second"]: row["person2"]}
    if not rows:
        raise EvaluationInvalid(f"{file} has no pairs")
    has_folds = len(set(folds) - {None}) > 1
    _, numbers = np.unique([fold or "" for fold in folds], return_inverse=True)
    return _pairs(rows, numbers if has_folds else consecutive(len(rows)), images, people or people_of(rows))


def cells_of(lines: list[str]) -> list[list[str]]:
    """Return the cells of the lines of a CSV, without blank rows. The first line shows what divides the cells."""
    delimiter = max(",;\t", key=lines[0].count)
    return [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter) if any(row)]


def read_bin_set(file: Path) -> Pairs:
    """Read a `.bin` set of InsightFace; photos are named by their first index in it.

    Raises EvaluationInvalid if the file is not a set of pairs.
    """
    images, labels = read_bin(_read(file))
    names: dict[bytes, str] = {}
    entries = [names.setdefault(image, f"#{index:05d}") for index, image in enumerate(images)]
    rows = list(zip(entries[::2], entries[1::2], labels, strict=True))
    people = people_of(rows)
    photos = tuple(Photo(name, image, people[name]) for image, name in names.items())
    return _index_pairs(rows, consecutive(len(rows)), photos)


def read_people(folder: Path) -> tuple[Photo, ...]:
    """Read a folder of people, `person/photo.jpg`, sorted by name. Raises EvaluationInvalid if it has none."""
    found = _photos(folder, depth=1)
    photos = tuple(Photo(_name(path, folder), path, path.parent.name) for path in found if path.parent != folder)
    if not photos:
        raise EvaluationInvalid(f"{folder} is not a folder of people: it has no person/photo.jpg{_hint(folder, found)}")
    return photos


def read_photos(folder: Path) -> tuple[Photo, ...]:
    """Read all photos below a folder, sorted by name; each counts as a different person.

    Raises EvaluationInvalid if the folder has no photos.
    """
    photos = tuple(Photo(name := _name(path, folder), path, name) for path in _photos(folder))
    if not photos:
        raise EvaluationInvalid(f"{folder} contains no photos")
    return photos


def read_people_or_photos(folder: Path) -> tuple[Photo, ...]:
    """Read a folder of people; without folders of people, each photo counts as a person.

    Raises EvaluationInvalid if it has no photos.
    """
    try:
        return read_people(folder)
    except EvaluationInvalid:
        return read_photos(folder)


def consecutive(count: int, folds: int = FOLDS) -> Ints:
    """Assign pairs to consecutive folds of equal size; the first folds may have one more."""
    parts = np.array_split(np.arange(count), min(folds, count))
    return np.repeat(np.arange(len(parts)), [len(part) for part in parts])


def people_of(rows: Iterable[tuple[Name, Name, bool]]) -> dict[Name, Name]:
    """Derive people from pairs without names: photos connected by matched pairs show one person."""
    parent: dict[Name, Name] = {}

    def find_root(name: Name) -> Name:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for first, second, is_same in rows:
        root, other = find_root(first), find_root(second)
        if is_same:
            parent[other] = root
    return {name: find_root(name) for name in list(parent)}


def _pairs(rows: list[Row], folds: Ints, images: Path, people: dict[str, str]) -> Pairs:
    names = dict.fromkeys(name for first, second, _ in rows for name in (first, second))
    missing = [name for name in names if not (images / name).is_file()]
    if missing:
        raise EvaluationInvalid(f"{images} lacks {len(missing)} photos of the pairs, for example {missing[0]}")
    return _index_pairs(rows, folds, tuple(Photo(name, images / name, people[name]) for name in names))


def _index_pairs(rows: list[Row], folds: Ints, photos: tuple[Photo, ...]) -> Pairs:
    index = {photo.name: number for number, photo in enumerate(photos)}
    places = np.array([(index[first], index[second]) for first, second, _ in rows], np.intp)
    return Pairs(photos, places, np.array([is_same for _, _, is_same in rows]), folds)


def _lfw_name(images: Path, person: str, number: str) -> str:
    stem = f"{person}/{person}_{int(number):04d}"
    return next((stem + suffix for suffix in _SUFFIXES if (images / (stem + suffix)).is_file()), f"{stem}.jpg")


def _photos(folder: Path, depth: int | None = None) -> list[Path]:
    """Return the photos below a folder, at most `depth` folders deep; raises EvaluationInvalid if one is unreadable."""
    photos = []
    for parent, folders, files in os.walk(folder, onerror=_refuse, followlinks=depth is not None):
        if len(Path(parent).relative_to(folder).parts) == depth:
            folders.clear()
        photos += [Path(parent, file) for file in files if Path(file).suffix.lower() in _SUFFIXES]
    return sorted(path for path in photos if path.is_file())


def _hint(folder: Path, loose: list[Path]) -> str:
    """Return where the photos of a folder without people are: directly in it, or deeper."""
    if loose:
        return f"; {counted(len(loose), 'photo lies', 'photos lie')} directly in it, without a folder for each person"
    deep = _photos(folder)
    return f"; its photos lie deeper, such as {_name(deep[0], folder)}: name the folder of the people" if deep else ""


def _refuse(error: OSError) -> NoReturn:
    raise EvaluationInvalid.unreadable(error.filename, error) from error


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def read_lines(file: Path) -> list[str]:
    """Read the lines of a UTF-8 text file. Raises EvaluationInvalid if it is unreadable or empty."""
    try:
        lines = _read(file).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise EvaluationInvalid(f"{file} is not UTF-8 text") from error
    if not lines:
        raise EvaluationInvalid(f"{file} is empty")
    return lines


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise EvaluationInvalid.unreadable(file, error) from error
