"""Opening a path as a source of photos."""

import zipfile
from pathlib import Path

from app.errors import ImportInvalid
from app.transfer.file_signatures import format_named
from app.transfer.photo_folders import Folder, Source
from app.transfer.photo_lists import ListedFolder
from app.transfer.photo_zips import Zip
from app.transfer.text_encodings import Encoding


def open_source(
    path: Path, *, is_flat: bool = False, inside: Path | None = None, encoding: Encoding | None = None
) -> Source:
    """Open a folder, a CSV or a ZIP file. Paths must not lead out of `inside`.

    `encoding` applies to a list, and to names in a ZIP, without a Unicode mark. Raises ImportInvalid if it
    cannot be used, and EncodingUnknown if no encoding is certain.
    """
    if path.is_dir():
        return Folder(path, is_flat=is_flat, inside=inside)
    if not path.is_file():
        raise ImportInvalid("there is no such file or folder")
    if path.suffix.lower() == ".csv":
        return ListedFolder(path, inside=inside, encoding=encoding)
    if zipfile.is_zipfile(path):
        return Zip(path, is_flat=is_flat, encoding=encoding)
    with path.open("rb") as file:
        other = format_named(file.read(16))
    raise ImportInvalid("the source must be a folder, a ZIP file or a CSV file" + (f", not {other}" if other else ""))
