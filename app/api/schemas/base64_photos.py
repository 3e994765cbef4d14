"""Base64 in the forms that clients send: wrapped into lines, URL-safe, without padding, as a data: URL."""

import binascii
import re
from urllib.parse import unquote

_IGNORED = b" \t\r\n\v\f"
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_DATA_URL = re.compile(r"\s*data:([^,]{0,200}),", re.IGNORECASE)
_URL = re.compile(r"\s*(?:https?|file|blob)://", re.IGNORECASE)
_FILE_NAME = re.compile(
    r"@.*|.*\.(?:jpe?g|png|webp|gif|bmp|tiff?|avif|hei[cf]|zip|tar|csv|ndjson|jsonl?)", re.IGNORECASE
)
_OTHER = re.compile(rb"[^A-Za-z0-9+/=]")
_FEWEST_BYTES = 22
"""Bytes of an empty ZIP; photos have more. A word such as `visitor` is base64 of fewer by chance."""
_LONGEST_SHOWN = 60
_LONGEST_NAME = 1024


def bytes_of(text: str, field: str) -> bytes:
    """Return the bytes of base64 text in `field`; raises ValueError, which names a recognized mistake."""
    is_data_url = _DATA_URL.match(text)
    encoded = text[is_data_url.end() :] if is_data_url else text
    if is_data_url and not is_data_url[1].lower().rstrip().endswith("base64"):
        raise ValueError("the data: URL is not base64; write data:image/jpeg;base64,...")
    if "%" in encoded:
        encoded = unquote(encoded)
    raw = encoded.encode("utf-8", "replace").translate(_TO_STANDARD, _IGNORED).rstrip(b"=")
    try:
        data = binascii.a2b_base64(raw + b"=" * (-len(raw) % 4), strict_mode=True)
    except binascii.Error:
        raise ValueError(_mistake(text, raw, field)) from None
    if 0 < len(data) < _FEWEST_BYTES and not _is_text(data):
        raise ValueError(_with_curl(text.strip()[:_LONGEST_SHOWN], "a text, not a file", field))
    return data


def _is_text(data: bytes) -> bool:
    return data.isascii() and data.decode("ascii").isprintable()


def _mistake(text: str, raw: bytes, field: str) -> str:
    """Return the probable mistake in text that is not base64."""
    shown = text.strip()[:_LONGEST_SHOWN]
    if _URL.match(text):
        return f"{shown!r} is a URL, not a photo; send it as {field.removesuffix('s')}_url{'s' * field.endswith('s')}"
    if len(text) <= _LONGEST_NAME and _FILE_NAME.fullmatch(text.strip()):
        return _with_curl(shown.removeprefix("@"), "the name of a file, not its bytes", field)
    wrong = _OTHER.search(raw)
    why = f"it contains {wrong[0].decode('latin-1')!r}" if wrong else f"{len(raw):,} characters cannot be base64"
    return f"it is neither a file nor valid base64: {why}; curl sends a file with -F {field}=@FILE"


def _with_curl(name: str, what: str, field: str) -> str:
    """Return what a text is, and how curl sends the file of that name."""
    return f"{name!r} is {what}; with curl write -F {field}=@{name}"
