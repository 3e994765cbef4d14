"""Ids and names: Unicode in NFC, and ids that are safe as a part of a path.

Clients, browsers and proxies rewrite paths: they resolve `.` and `..`, merge slashes, turn backslashes into slashes,
decode `%2e` and remove spaces. A changed id would name another person, or a whole collection.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, StringConstraints, ValidationInfo, WithJsonSchema

LONGEST_ID = 128
LONGEST_NAME = 256
LONGEST_FACE_ID = 36
COLLECTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""Also the names of API keys."""

_CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_CONTROL = re.compile(rf"[{_CONTROLS}\ud800-\udfff]")
_FORMER_CONTROL = re.compile(r"[\x80-\x9f\u2028\u2029]")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_PIECE = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]*")  # no composition crosses the start of a piece
_LONGEST_PIECE = 512
_SPACELESS = r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"  # Thai, Lao, Japanese, Chinese, Korean
_WORD = re.compile(rf"[{_SPACELESS}]|[^\W_{_SPACELESS}]+")
_WITHOUT_STROKES = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "\u0131": "i", "æ": "ae", "œ": "oe"})
_SPACE = r"[ \xa0\u1680\u2000-\u200a\u202f\u205f\u3000]"  # as str.strip; `\s` differs between languages
_SEGMENT = rf"[^{_CONTROLS}\\/]+"
_UNSAFE = rf"^{_SPACE}|{_SPACE}$|%[0-9A-Fa-f]{{2}}|(?:^|/)\.{{1,2}}(?:/|$)"


def nfc(text: str) -> str:
    """Return a text in Unicode's composed form, in which equal-looking texts are equal.

    Sorting marks takes quadratic time. So a long text is composed in pieces, and pieces longer than any name stay
    unchanged.
    """
    if text.isascii():
        return text
    pieces = [text] if len(text) <= _LONGEST_PIECE else _PIECE.findall(text)
    return "".join(unicodedata.normalize("NFC", each) if len(each) <= _LONGEST_PIECE else each for each in pieces)


def nfc_json(value: Any) -> Any:
    """Return JSON with all texts and names in NFC. Raises ValueError if two names become equal."""
    if isinstance(value, str):
        return nfc(value)
    if isinstance(value, list):
        return [nfc_json(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    normalized = {nfc(name): nfc_json(each) for name, each in value.items()}
    if len(normalized) < len(value):
        raise ValueError("two names in an object differ only in the encoding of their letters")
    return normalized


def words_of(text: str) -> list[str]:
    """Return the words of a text as searches compare them: without case, accents and separators.

    In scripts without spaces, each letter is a word.
    """
    letters = unicodedata.normalize("NFKD", nfc(text).casefold())
    plain = "".join(each for each in letters if not unicodedata.combining(each)).translate(_WITHOUT_STROKES)
    return _WORD.findall(unicodedata.normalize("NFC", plain))


FORMER_NAMES = {"enrol_quality": "enroll_quality"}  # the old spelling
"""The old spelling of a field, and the current one. Deprecated: requests may use it for one more release."""


def with_current_names(value: object, info: ValidationInfo) -> object:
    """Return an object's members with former names replaced; a member under its current name takes precedence.

    A list as the context of the validation receives the former names.
    """
    if not isinstance(value, Mapping):
        return value
    if isinstance(info.context, list):
        info.context.extend(name for name in value if name in FORMER_NAMES)
    renamed = {FORMER_NAMES[name]: member for name, member in value.items() if name in FORMER_NAMES}
    return renamed | {name: member for name, member in value.items() if name not in FORMER_NAMES}


def id_flaw(text: str) -> str | None:
    """Return why a text in NFC is not a valid person's id, or None."""
    if not 1 <= len(text) <= LONGEST_ID:
        return f"an id has 1 to {LONGEST_ID} characters"
    if _CONTROL.search(text):
        return "an id has no control characters"
    if text != text.strip():
        return "an id neither starts nor ends with a space"
    if "\\" in text or _PERCENT.search(text):
        return "an id has no '\\' and no '%' before two hexadecimal digits: clients would change them in a path"
    if not all(segment.strip(".") or len(segment) > 2 for segment in text.split("/")):
        return (
            "neither an id nor a part of it between slashes is empty, '.' or '..': clients would remove it from a path"
        )
    return None


def face_id_flaw(text: str) -> str | None:
    """Return why a text is not a valid face's id (without slashes), or None."""
    if len(text) > LONGEST_FACE_ID:
        return f"a face's id has 1 to {LONGEST_FACE_ID} characters"
    return "a face's id has no '/'" if "/" in text else id_flaw(text)


def name_flaw(text: str) -> str | None:
    """Return why a text in NFC is not a valid person's name, or None."""
    if len(text) > LONGEST_NAME:
        return f"a name has at most {LONGEST_NAME} characters"
    return "a name has no control characters" if _CONTROL.search(text) else None


def _compose(value: object) -> object:
    return nfc(value) if isinstance(value, str) else value


_COMPOSED = BeforeValidator(_compose)


def _without_former_controls(value: object) -> object:
    """Replace control characters, which older versions accepted in names, by spaces."""
    return _FORMER_CONTROL.sub(" ", value) if isinstance(value, str) else value


def _id(text: str) -> str:
    if flaw := id_flaw(text):
        raise ValueError(flaw)
    return text


def _face_id(text: str) -> str:
    if flaw := face_id_flaw(text):
        raise ValueError(flaw)
    return text


def _described(most: int, pattern: str) -> WithJsonSchema:
    """Return the schema of an id in NFC for the API's document. Validation uses `id_flaw`, whose messages are clearer.

    Lookaheads would put both patterns into one, but many validators lack them (JSON Schema, section 6.4 of its core).
    """
    return WithJsonSchema(
        {"type": "string", "minLength": 1, "maxLength": most, "pattern": pattern, "not": {"pattern": _UNSAFE}}
    )


IdentityId = Annotated[str, _COMPOSED, AfterValidator(_id), _described(LONGEST_ID, f"^{_SEGMENT}(?:/{_SEGMENT})*$")]
"""A person's id in NFC, safe as a part of a path. It may contain slashes."""
FaceId = Annotated[str, _COMPOSED, AfterValidator(_face_id), _described(LONGEST_FACE_ID, f"^{_SEGMENT}$")]
PersonName = Annotated[str, StringConstraints(max_length=LONGEST_NAME, pattern=rf"^[^{_CONTROLS}]*$"), _COMPOSED]
"""A person's name; `name_flaw` has the same rule for names in lists."""
KeptName = Annotated[PersonName, BeforeValidator(_without_former_controls)]
"""A name in an archive."""
CollectionName = Annotated[str, StringConstraints(pattern=f"^{COLLECTION.pattern}$")]
Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_ID, pattern=r"^[^\x00-\x1f\x7f]+$"),
    _COMPOSED,
]
"""A short text to search for, or to store."""
