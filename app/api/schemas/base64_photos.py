"""Base64 in the forms that clients send: wrapped into lines, URL-safe, without padding, as a data: URL."""

import binascii
import re
import shlex
from urllib.parse import unquote

from app.observability.counted import counted

_IGNORED = b" \t\r\n\v\f"
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_DATA_URL = re.compile(r"\s*data:([^,]{0,200}),", re.IGNORECASE)
_CUT_DATA_URL = re.compile(r"data:[^,;]*", re.IGNORECASE)
"""A data: URL without its data, as curl sends it: -F ends a value at a semicolon."""
_URL = re.compile(r"\s*(?:https?|file|blob)://", re.IGNORECASE)
_FILE_NAME = re.compile(
    r"@.*|.*\.(?:jpe?g|png|webp|gif|bmp|tiff?|avif|hei[cf]|zip|tar|csv|ndjson|jsonl?)", re.IGNORECASE
)
_OTHER = re.compile(rb"[^A-Za-z0-9+/=]")
_FEWEST_BYTES = 22
"""Bytes of an empty ZIP; photos have more. A word such as `visitor` is base64 of fewer by chance."""
_LONGEST_SHOWN = 60
_LONGEST_NAME = 1024


def bytes_of(text: str, field: str, *, is_json: bool = False) -> bytes:
    """Return the bytes of base64 text in `field`; raises ValueError, which names a recognized mistake.

    A form may contain the file itself, and JSON (`is_json`) only base64, so the remedies differ.
    """
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
        raise ValueError(_mistake(text, raw, field, is_json=is_json)) from None
    if 0 < len(data) < _FEWEST_BYTES and not _is_text(data):
        if is_data_url:
            raise ValueError(f"the data: URL holds {counted(len(data), 'byte')}, too few for a photo")
        raise ValueError(_mistaken(text.strip(), "a text, not a file", field, is_json=is_json))
    return data


def _is_text(data: bytes) -> bool:
    return data.isascii() and data.decode("ascii").isprintable()


def _mistake(text: str, raw: bytes, field: str, *, is_json: bool) -> str:
    """Return the probable mistake in text that is not base64."""
    if _URL.match(text):
        shown = text.strip()[:_LONGEST_SHOWN]
        return f"{shown!r} is a URL, not a photo; send it as {field.removesuffix('s')}_url{'s' * field.endswith('s')}"
    if len(text) <= _LONGEST_NAME and _FILE_NAME.fullmatch(text.strip()):
        return _mistaken(text.strip().removeprefix("@"), "the name of a file, not its bytes", field, is_json=is_json)
    if _CUT_DATA_URL.fullmatch(text.strip()):
        remedy = _in_json(field) if is_json else f"curl -F cuts a value at ';', so write --form-string {field}=data:..."
        return f"the data: URL has no data; {remedy}"
    wrong = _OTHER.search(raw)
    why = f"it contains {wrong[0].decode('latin-1')!r}" if wrong else f"{len(raw):,} characters cannot be base64"
    if is_json:
        return f"it is not valid base64: {why}; {_in_json(field)}"
    return f"it is neither a file nor valid base64: {why}; curl sends a file with -F {field}=@FILE"


def _mistaken(name: str, what: str, field: str, *, is_json: bool) -> str:
    """Return what a text is, and how to send the file of that name."""
    remedy = _in_json(field) if is_json else f"with curl write -F {_argument(name, field)}"
    return f"{name[:_LONGEST_SHOWN]!r} is {what}; {remedy}"


def _in_json(field: str) -> str:
    return f"send the {'file' if field == 'file' else 'photo'}'s bytes as base64"


def _argument(name: str, field: str) -> str:
    """Return curl's argument that sends a file, quoted for a shell, which leaves `~` as it is after `@`."""
    if len(name) > _LONGEST_SHOWN:
        return f"{field}=@FILE"
    if name.startswith("~/"):
        return f'{field}=@"$HOME"/{shlex.quote(name.removeprefix("~/"))}'
    return shlex.quote(f"{field}=@{name}")
