"""Files of other formats are named in the error."""

import io
import zipfile

import pytest

from app.errors import ArchiveInvalid, ImportInvalid
from app.transfer.archive_reader import open_archive
from app.transfer.file_signatures import format_named
from app.transfer.photo_lists import listed
from app.transfer.photo_sources import open_source


def workbook() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("[Content_Types].xml", "<Types/>")
    return data.getvalue()


def test_text_is_no_other_format():
    assert format_named(b"identity_id,photo\n") is None
    assert format_named(b"") is None


@pytest.mark.parametrize("brand", [b"heic", b"mif1"])
def test_a_phones_photo_is_named(brand: bytes):
    assert format_named(b"\0\0\0\x18ftyp" + brand + bytes(4)) == "a HEIC photo"


def test_a_workbook_renamed_to_csv_is_named():
    with pytest.raises(
        ImportInvalid, match=r"the CSV is a ZIP file, as Excel's \.xlsx files are: save it as CSV UTF-8"
    ):
        listed(workbook())


@pytest.mark.parametrize(
    ("head", "named"),
    [(b"Rar!\x1a\x07\x01\x00", "a RAR archive"), (b"7z\xbc\xaf\x27\x1c\x00\x04", "a 7-Zip archive"), (b"hello", None)],
)
def test_another_archive_is_named(tmp_path, head, named):
    path = tmp_path / "staff.zip"
    path.write_bytes(head * 9)
    with pytest.raises(ImportInvalid, match=f"not {named}" if named else "a folder, a ZIP file or a CSV file"):
        open_source(path)


@pytest.mark.parametrize(
    ("head", "named"),
    [
        (b"Rar!\x1a\x07\x01\x00", "a RAR archive"),
        (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
        (b"\x1f\x8b\x08", "a gzip"),
    ],
)
def test_another_archive_in_place_of_arcids_own_is_named(tmp_path, head, named):
    path = tmp_path / "people.zip"
    path.write_bytes(head * 9)
    with pytest.raises(ArchiveInvalid, match=f"the file is {named}"), open_archive(path):
        pass


@pytest.mark.parametrize("name", ["staff.xlsx", "staff.zip"])
def test_a_workbook_in_place_of_a_zip_of_photos_is_named(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(workbook())
    with pytest.raises(ImportInvalid, match=r"an Office document, as \.xlsx files are, not a ZIP of photos"):
        open_source(path)
