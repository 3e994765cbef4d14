"""Lists of photos: tables with a header, `identity_id,photo[,name][,metadata]`, written by hand or by Excel."""

import csv
import json
import os
import re
from pathlib import Path, PurePosixPath
from typing import Any, Self
from unicodedata import normalize

from app.errors import ImportInvalid
from app.names import name_flaw, nfc, nfc_json
from app.transfer.file_signatures import format_named
from app.transfer.photo_folders import Item, flaw_of, printable, read_file
from app.transfer.text_encodings import Encoding, decode

COLUMNS = ("identity_id", "photo", "name", "metadata")
_NEEDED = ("identity_id", "photo")
LONGEST_LIST = 64_000_000
MOST_LINES = 500_000
"""Maximum, because the lines are held in memory."""
_LONGEST_METADATA, _LONGEST_PATH = 16_384, 1024
_DELIMITERS = ",;\t|"
_LONGEST_ROW = 500_000
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_SEPARATOR = re.compile(r'\A"?sep=([,;\t|])"?(?:\r\n|\r|\n)', re.IGNORECASE)  # Excel's own line before the header


def listed(data: bytes, encoding: Encoding | None = None) -> list[Item]:
    """Return the items of a list; an invalid line becomes an item with a flaw.

    The separator is the comma, semicolon, tab or bar that splits the header into its columns. Raises ImportInvalid if
    the whole list cannot be used, and EncodingUnknown if no encoding is certain.
    """
    if other := format_named(data[:16]):
        raise ImportInvalid(f"the CSV is {other}: save it as CSV UTF-8")
    text = decode(data, encoding, "the CSV")
    begin = _SEPARATOR.match(text)
    text = text[begin.end() :] if begin else text
    delimiter, columns, width = _header(text[:_LONGEST_ROW], (begin[1] if begin else "") + _DELIMITERS)
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    lines_before, items = 1 if begin else 0, list[Item]()
    try:
        next(reader, None)
        for row in reader:
            lines.of_row = 0
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if len(items) == MOST_LINES:
                raise ImportInvalid(f"the CSV has more than {MOST_LINES:,} lines; split it into parts")
            items.append(_item(columns, width, cells, reader.line_num + lines_before))
    except csv.Error as error:
        line = reader.line_num + lines_before
        raise ImportInvalid(
            f"line {line} of the CSV cannot be read ({error}): enclose a cell with a separator, a line break "
            "or a double quote in double quotes, and double each double quote in it"
        ) from error
    return items


class _Lines:
    """The lines of a text, for the CSV reader. Bounds the length of a row, which the reader does not; see `of_row`."""

    def __init__(self, text: str) -> None:
        self.of_row = 0
        """The number of characters since the last reset."""
        self._lines = _LINE.finditer(text)
        self._line = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = next(self._lines)[0]
        self._line += 1
        self.of_row += len(line)
        if self.of_row > _LONGEST_ROW:
            raise ImportInvalid(f"line {self._line} of the CSV ends a row of more than {_LONGEST_ROW:,} characters")
        return line


class ListedFolder:
    """Photos listed in a CSV file, by paths relative to its folder. A path must not lead out of that folder.

    Symbolic links may lead out of it, but not out of `inside`, if given.
    """

    def __init__(self, path: Path, *, inside: Path | None = None, encoding: Encoding | None = None) -> None:
        self._root = path.parent
        self._inside = inside
        self.items: list[Item] = listed(read_file(path, LONGEST_LIST, inside=inside), encoding)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Do nothing: no resource is open."""

    def read(self, item: Item, most_bytes: int) -> bytes:
        """See `Source.read`."""
        return read_file(self._path(item.where), most_bytes, inside=self._inside)

    def _path(self, where: str) -> Path:
        """Return the path as written, or in the Unicode form in which its file is stored (as on macOS)."""
        spellings = [where]
        if len(where) <= _LONGEST_PATH:
            spellings += [normalize("NFC", where), normalize("NFD", where)]
        # An overlong path counts as missing; `Path.exists` would raise and end the import.
        there = (each for each in spellings if os.path.exists(self._root / each))  # noqa: PTH110
        return self._root / next(there, where)


def _header(text: str, delimiters: str) -> tuple[str, dict[str, int], int]:
    """Return the delimiter, the position of each known column, and the number of columns.

    Raises ImportInvalid if a column is missing or named twice.
    """
    most: list[str] = []
    for delimiter in dict.fromkeys(delimiters):
        try:
            cells = next(csv.reader(_Lines(text), delimiter=delimiter, skipinitialspace=True), [])
        except csv.Error as error:
            raise ImportInvalid(f"line 1 of the CSV cannot be read ({error})") from error
        names = [re.sub(r"[\s-]+", "_", cell.strip().lower()) for cell in cells]
        if set(_NEEDED) <= set(names):
            twice = next((name for name in COLUMNS if names.count(name) > 1), None)
            if twice is not None:
                raise ImportInvalid(f"line 1 of the CSV names the column {twice} twice: remove one of them")
            return delimiter, {name: number for number, name in enumerate(names) if name in COLUMNS}, len(names)
        most = max(most, names, key=lambda each: (len(set(_NEEDED) & set(each)), len(each)))
    missing, there = next(name for name in _NEEDED if name not in most), ", ".join(map(repr, most))[:200]
    raise ImportInvalid(
        f"line 1 of the CSV has no column {missing} (it has {there or 'none'}): it must name its columns, "
        f"{','.join(COLUMNS)}; the last two are optional, others are ignored"
    )


def _item(columns: dict[str, int], width: int, cells: list[str], line: int) -> Item:
    label = f"line {line}"
    said = {name: cells[number] if number < len(cells) else "" for name, number in columns.items()}
    identity_id, where = nfc(said["identity_id"]), said["photo"].replace("\\", "/")
    name = nfc(said.get("name", "")) or None
    metadata, flaw = _metadata(said.get("metadata", ""))
    path = PurePosixPath(where)
    if any(cells[width:]):
        flaw = f"the line has {len(cells)} cells, the header {width}: enclose text with the separator in double quotes"
    elif flaw_of_id := flaw_of(identity_id):
        flaw = f"column identity_id: {flaw_of_id}"
    elif not where or path.is_absolute() or ".." in path.parts or "\0" in where or where[1:2] == ":":
        flaw = "column photo: it must be a path relative to the list's folder"
    elif flaw_of_name := name_flaw(name or ""):
        flaw = f"column name: {flaw_of_name}"
    return Item(f"{label}: {printable(where)}", identity_id, str(path), name, metadata, flaw)


def _metadata(text: str) -> tuple[dict[str, Any] | None, str | None]:
    """Return metadata, and the reason if it is invalid."""
    if not text:
        return None, None
    try:
        parsed = nfc_json(json.loads(text))
        json.dumps(parsed, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None, "column metadata: it is not a JSON object"
    if not isinstance(parsed, dict):
        return None, "column metadata: it is not a JSON object"
    if len(json.dumps(parsed)) > _LONGEST_METADATA:
        return None, f"column metadata: it has more than {_LONGEST_METADATA} characters as JSON"
    return parsed, None
