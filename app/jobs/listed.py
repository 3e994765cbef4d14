"""Lists of photos: CSV with a header, `identity_id,photo[,name][,metadata]`."""

import csv
import io
import json
from pathlib import Path, PurePosixPath
from typing import Any, Self

from app.errors import ImportInvalid
from app.jobs.sources import Item, flaw_of, printable, read_file
from app.names import LONGEST_NAME, nfc, nfc_json

COLUMNS = ("identity_id", "photo", "name", "metadata")
_NEEDED = {"identity_id", "photo"}
LONGEST_LIST = 256_000_000
_LONGEST_METADATA = 16_384


def listed(data: bytes) -> list[Item]:
    """Return the items of a list (UTF-8); a line that cannot be used has a flaw. Raises ImportInvalid."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImportInvalid("the CSV is not UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if not _NEEDED <= set(header) <= set(COLUMNS) or len(set(header)) < len(header):
            columns = ",".join(COLUMNS)
            raise ImportInvalid(f"the CSV's first line has to name its columns: {columns}; the last two may lack")
        return [_item(header, row, reader.line_num) for row in reader if row]
    except csv.Error as error:
        raise ImportInvalid(f"line {reader.line_num} of the CSV cannot be read: {error}") from error


class ListedFolder:
    """Photos that a CSV file lists, by paths from its own folder, out of which none may lead.

    Symbolic links may, unless `inside` says from what they may not.
    """

    def __init__(self, path: Path, *, inside: Path | None = None) -> None:
        self._root = path.parent
        self._inside = inside
        self.items: list[Item] = listed(read_file(path, LONGEST_LIST, inside=inside))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """There is nothing to let go of."""

    def read(self, item: Item, most_bytes: int) -> bytes:
        """See Source."""
        return read_file(self._root / item.where, most_bytes, inside=self._inside)


def _item(header: list[str], row: list[str], line: int) -> Item:
    label = f"line {line}"
    if len(row) != len(header):
        return Item(label, "", "", flaw=f"the line has {len(row)} columns, the header {len(header)}")
    said = dict(zip(header, row, strict=True))
    identity_id, where, name = nfc(said["identity_id"]), said["photo"], nfc(said.get("name") or "") or None
    metadata, flaw = _metadata(said.get("metadata") or "")
    path = PurePosixPath(where)
    if not where or path.is_absolute() or ".." in path.parts or "\\" in where or "\0" in where:
        flaw = "the photo has to be a path from the list's own folder, with /"
    if name is not None and (len(name) > LONGEST_NAME or not name.isprintable()):
        flaw = f"the name has to have at most {LONGEST_NAME} characters, none of them a control character"
    flaw = flaw or flaw_of(identity_id)
    return Item(f"{label}: {printable(where)}", identity_id, str(path), name, metadata, flaw)


def _metadata(text: str) -> tuple[dict[str, Any] | None, str | None]:
    """Return metadata and, if they are none, why."""
    if not text.strip():
        return None, None
    try:
        parsed = nfc_json(json.loads(text))
        json.dumps(parsed, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None, "the metadata is no JSON object"
    if not isinstance(parsed, dict):
        return None, "the metadata is no JSON object"
    if len(json.dumps(parsed)) > _LONGEST_METADATA:
        return None, f"the metadata has more than {_LONGEST_METADATA} characters as JSON"
    return parsed, None
