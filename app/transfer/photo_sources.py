"""What lies at a path becomes a source of photos."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.errors import ImportInvalid
from app.jobs.values import Kind
from app.transfer.archive_reader import open_archive
from app.transfer.photo_folders import Folder, Source
from app.transfer.photo_lists import ListedFolder
from app.transfer.photo_zips import Zip
from app.transfer.text_encodings import Encoding


def open_source(
    path: Path, *, is_flat: bool = False, inside: Path | None = None, encoding: Encoding | None = None
) -> Source:
    """Open a folder, a CSV or a ZIP file; nothing may lead out of `inside`.

    `encoding` is that of a list, or of names in a ZIP, that are not marked as Unicode. Raises ImportInvalid,
    EncodingUnknown.
    """
    if path.is_dir():
        return Folder(path, is_flat=is_flat, inside=inside)
    if not path.is_file():
        raise ImportInvalid("there is no such file or folder")
    if path.suffix.lower() == ".csv":
        return ListedFolder(path, inside=inside, encoding=encoding)
    if zipfile.is_zipfile(path):
        return Zip(path, is_flat=is_flat, encoding=encoding)
    raise ImportInvalid("the source must be a folder, a ZIP file or a CSV file")


def check_upload(kind: Kind, path: Path, options: Mapping[str, Any]) -> None:
    """Open an uploaded file as its job will; raises ImportInvalid or a child of ArchiveRefused if that fails."""
    if kind is Kind.IMPORT_ARCHIVE:
        with open_archive(path):
            return
    if kind is Kind.IMPORT:
        with path.open("rb") as file:
            is_zip = file.read(2) == b"PK"
        if not is_zip:
            raise ImportInvalid("the file is not a ZIP: a list alone has no photos, so send a ZIP that holds both")
        encoding = options.get("encoding")
        with open_source(path, is_flat=options["flat"], encoding=None if encoding is None else Encoding(encoding)):
            return
