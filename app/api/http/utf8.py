"""UTF-8 in requests. Another decoding could turn two names into one, or one name into another."""

from urllib.parse import unquote_to_bytes

from starlette.types import Scope

from app.errors import RequestInvalid


def text_of(data: bytes | bytearray, field: str) -> str:
    """Return the text of a field; raises RequestInvalid if it is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _not_utf8(field, "send it as UTF-8") from error


def require_utf8(scope: Scope) -> None:
    """Raise RequestInvalid if a request's path or query is not percent-encoded UTF-8."""
    path: bytes = scope.get("raw_path") or b""
    query: bytes = scope["query_string"]
    if not _is_utf8(path):
        raise _not_utf8("path", "percent-encode it as UTF-8")
    # Starlette would read bytes that are not ASCII as Latin-1.
    if not query.isascii() or not _is_utf8(query):
        wrong = next((each for each in query.split(b"&") if not each.isascii() or not _is_utf8(each)), query)
        raise _not_utf8(f"query.{_name(wrong)}", "percent-encode it as UTF-8")


def require_utf8_form(body: bytes) -> None:
    """Raise RequestInvalid if a field of application/x-www-form-urlencoded is not UTF-8."""
    if not _is_utf8(body):
        wrong = next((each for each in body.split(b"&") if not _is_utf8(each)), body)
        raise _not_utf8(_name(wrong), "send it as UTF-8")


def _is_utf8(encoded: bytes) -> bool:
    """Return whether percent-encoded bytes are UTF-8."""
    if b"%" not in encoded and encoded.isascii():
        return True
    try:
        unquote_to_bytes(encoded).decode()
    except UnicodeDecodeError:
        return False
    return True


def _name(pair: bytes) -> str:
    return unquote_to_bytes(pair.partition(b"=")[0])[:100].decode(errors="replace")


def _not_utf8(field: str, remedy: str) -> RequestInvalid:
    return RequestInvalid(
        f"{field} is not valid UTF-8; {remedy}", [{"field": field, "detail": f"not valid UTF-8; {remedy}"}]
    )
