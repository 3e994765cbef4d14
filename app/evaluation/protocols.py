"""Files and folders to pairs and photos: LFW's View 2, CSV, InsightFace's `.bin`, a folder of people.

The formats, and how pairs are assigned to folds, are written down in docs/evaluation.md.
"""

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from app.errors import EvaluationInvalid
from app.evaluation.bin_format import read_bin
from app.evaluation.values import Ints, Pairs, Photo

FOLDS = 10
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif")
_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "-1": False, "false": False, "no": False}

Row = tuple[str, str, bool]
"""The two photos' names, and whether they show one person."""


def read_lfw(file: Path, images: Path) -> Pairs:
    """Read LFW's pairs file; photos are `images/Name/Name_0001.jpg`. Raises EvaluationInvalid."""
    header, *lines = [line.split("\t") if "\t" in line else line.split() for line in _lines(file) if line.strip()]
    if not all(part.strip().isdigit() for part in header) or len(header) not in {1, 2}:
        raise EvaluationInvalid(f"{file}: the first line must give the folds and the pairs of each kind per fold")
    folds, size = (1, int(header[0])) if len(header) == 1 else (int(header[0]), int(header[1]))
    if len(lines) != 2 * folds * size or not lines:
        raise EvaluationInvalid(f"{file} has {len(lines)} pairs; its first line says 2 x {folds} x {size}")
    rows: list[Row] = []
    people: dict[str, str] = {}
    for place, line in enumerate(lines):
        is_same = place // size % 2 == 0
        if len(line) != (3 if is_same else 4) or not all(part.strip().isdigit() for part in (line[1], line[-1])):
            kind = "matched" if is_same else "mismatched"
            raise EvaluationInvalid(f"{file}, line {place + 2}: not a {kind} pair: {' '.join(line)}")
        other = line[0] if is_same else line[2]
        first, second = _lfw_name(images, line[0], line[1]), _lfw_name(images, other, line[-1])
        people |= {first: line[0], second: other}
        rows.append((first, second, is_same))
    numbers = np.arange(len(rows)) // (2 * size)
    return _pairs(rows, numbers if folds > 1 else consecutive(len(rows)), images, people)


def read_csv(file: Path, images: Path) -> Pairs:
    """Read pairs from a CSV: two photos, same or not; `fold`, `person1`, `person2` are optional columns.

    Raises EvaluationInvalid.
    """
    lines = _lines(file)
    delimiter = max(",;\t", key=lines[0].count)
    table = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter) if any(row)]
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
    is_folded = len(set(folds) - {None}) > 1
    _, numbers = np.unique([each or "" for each in folds], return_inverse=True)
    return _pairs(rows, numbers if is_folded else consecutive(len(rows)), images, people or people_of(rows))


def read_bin_set(file: Path) -> Pairs:
    """Read InsightFace's `.bin`; photos are named by their first place in the set. Raises EvaluationInvalid."""
    images, labels = read_bin(_read(file))
    names: dict[bytes, str] = {}
    entries = [names.setdefault(image, f"#{place:05d}") for place, image in enumerate(images)]
    rows = list(zip(entries[::2], entries[1::2], labels, strict=True))
    people = people_of(rows)
    photos = tuple(Photo(name, image, people[name]) for image, name in names.items())
    return _placed(rows, consecutive(len(rows)), photos)


def read_people(folder: Path) -> tuple[Photo, ...]:
    """Read a folder of people, `person/photo.jpg`, in order of their names. Raises EvaluationInvalid."""
    photos = tuple(Photo(_name(path, folder), path, path.parent.name) for path in _photos(folder, "*/*"))
    if not photos:
        raise EvaluationInvalid(f"{folder} is not a folder of people: it has no person/photo.jpg")
    return photos


def read_photos(folder: Path) -> tuple[Photo, ...]:
    """Read all photos of a folder, at any depth, each of somebody else, in order of their names."""
    photos = tuple(Photo(name := _name(path, folder), path, name) for path in _photos(folder, "**/*"))
    if not photos:
        raise EvaluationInvalid(f"{folder} has no photos")
    return photos


def consecutive(count: int, folds: int = FOLDS) -> Ints:
    """Assign pairs to consecutive folds, as equal as can be, the longer ones first."""
    parts = np.array_split(np.arange(count), min(folds, count))
    return np.repeat(np.arange(len(parts)), [len(part) for part in parts])


def people_of(rows: Iterable[Row]) -> dict[str, str]:
    """Tell people apart where nobody is named: photos of one person are those that matched pairs connect."""
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader.setdefault(name, name) != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for first, second, is_same in rows:
        one, other = find(first), find(second)
        if is_same:
            leader[other] = one
    return {name: find(name) for name in list(leader)}


def _pairs(rows: list[Row], folds: Ints, images: Path, people: dict[str, str]) -> Pairs:
    names = dict.fromkeys(name for first, second, _ in rows for name in (first, second))
    missing = [name for name in names if not (images / name).is_file()]
    if missing:
        raise EvaluationInvalid(f"{images} lacks {len(missing)} photos of the pairs; the first is {missing[0]}")
    return _placed(rows, folds, tuple(Photo(name, images / name, people[name]) for name in names))


def _placed(rows: list[Row], folds: Ints, photos: tuple[Photo, ...]) -> Pairs:
    place = {photo.name: number for number, photo in enumerate(photos)}
    places = np.array([(place[first], place[second]) for first, second, _ in rows], np.intp)
    return Pairs(photos, places, np.array([is_same for _, _, is_same in rows]), folds)


def _lfw_name(images: Path, person: str, number: str) -> str:
    stem = f"{person}/{person}_{int(number):04d}"
    return next((stem + suffix for suffix in _SUFFIXES if (images / (stem + suffix)).is_file()), f"{stem}.jpg")


def _photos(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.glob(pattern) if path.suffix.lower() in _SUFFIXES and path.is_file())


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _lines(file: Path) -> list[str]:
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
