"""File formats that are known by their first bytes, so that an error can name what was sent instead of a ZIP or CSV."""

_FORMATS = (
    (b"PK\x03\x04", "a ZIP file, as Excel's .xlsx files are"),
    (b"PK\x05\x06", "an empty ZIP file"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel file (.xls)"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x1f\x8b\x08", "a gzip file"),
    (b"\xfd7zXZ\x00", "an xz file"),
    (b"BZh", "a bzip2 file"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (b"\xff\xd8\xff", "a JPEG photo"),
    (b"\x89PNG\r\n\x1a\n", "a PNG photo"),
    (b"%PDF-", "a PDF file"),
)
_HEIC = (b"ftypheic", b"ftypheix", b"ftypmif1")


def format_named(head: bytes) -> str | None:
    """Return the format of a file by its first bytes (12 or more), for a sentence; None if it is not a known one."""
    if head[4:12] in _HEIC:
        return "a HEIC photo"
    return next((name for signature, name in _FORMATS if head.startswith(signature)), None)
