"""Ids that are safe in a path, and one normal form for equal-looking text."""

from urllib.parse import quote, urljoin

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from app.api.routes.backups import BackupName
from app.api.routes.jobs import JobId
from app.api.routes.uploads import UploadPath
from app.api.schemas.fields import UploadId
from app.api.schemas.keys import KeyId
from app.names import CollectionName, FaceId, IdentityId, KeptName, PersonName, Text, nfc, nfc_json

IDENTITY, FACE = TypeAdapter(IdentityId), TypeAdapter(FaceId)
DECOMPOSED, COMPOSED = "Zoe\u0308", "Zo\u00eb"
UNSAFE = [
    "",
    ".",
    "..",
    "../x",
    "a/..",
    "a/./b",
    "a//b",
    "/a",
    "a/",
    "%2e%2e",
    "%2E.",
    "a%2Fb",
    "a%41",
    "a\\b",
    "..\\x",
    " a",
    "a ",
    "\u3000a",
    "a\0",
    "a\n",
    "a\x85",
    "a\u2028b",
    "x" * 129,
]
SAFE = [
    "ada",
    "...",
    ".hidden",
    "a..b",
    "a/b c?#%é",
    "100%",
    "50% off",
    "a/...",
    "张伟",
    "Ann O'Neil",
    "x" * 128,
    "a:b;c,d",
]
SPACES = "".join(each for each in map(chr, range(0x10000)) if each.isspace())
PIECES = st.sampled_from([".", "..", "/", "%", "%4a", "\\", "-", "\u00e9"]) | st.sampled_from(
    SPACES + "\0\x7f\x85\ufeff"
)
TEXTS = st.lists(PIECES, max_size=5).map("".join) | st.text()
PATTERNS = {
    "identity": IDENTITY,
    "face": FACE,
    "collection": TypeAdapter(CollectionName),
    "name": TypeAdapter(PersonName),
    "text": TypeAdapter(Text),
    "key": TypeAdapter(KeyId),
    "job": TypeAdapter(JobId),
    "upload": TypeAdapter(UploadId),
    "upload path": TypeAdapter(UploadPath),
    "backup": TypeAdapter(BackupName),
}


def is_taken(adapter, text):
    try:
        adapter.validate_python(text)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("text", UNSAFE)
def test_an_id_that_a_client_would_change_is_refused(text):
    for adapter in (IDENTITY, FACE):
        with pytest.raises(ValidationError):
            adapter.validate_python(text)


@pytest.mark.parametrize("text", SAFE)
def test_an_id_that_stays_itself_is_taken(text):
    assert IDENTITY.validate_python(text) == text
    # Clients resolve it against a base, encoded but with its slashes.
    url = urljoin("http://h/collections/c/identities/", quote(text))
    assert url == "http://h/collections/c/identities/" + quote(text)
    if "/" in text:
        with pytest.raises(ValidationError, match="'/'"):
            FACE.validate_python(text)


@pytest.mark.parametrize("name", PATTERNS)
@given(data=st.data())
def test_the_document_has_the_rule_of_the_validation(name, data):
    schema = PATTERNS[name].json_schema()
    text = nfc(data.draw(TEXTS | st.from_regex(schema["pattern"])))
    assert jsonschema_rs.is_valid(schema, text) == is_taken(PATTERNS[name], text)


@pytest.mark.parametrize("text", [*UNSAFE, *SAFE, ".\u00e1 ", "a.", "a/.", "a/. b", "%4", "%%41", "\ufeffa"])
def test_the_document_has_the_rule_for_paths(text):
    for adapter in (IDENTITY, FACE):
        assert jsonschema_rs.is_valid(adapter.json_schema(), text) == is_taken(adapter, text)


def test_what_looks_the_same_is_the_same():
    assert IDENTITY.validate_python(DECOMPOSED) == COMPOSED
    assert nfc_json({DECOMPOSED: [{"a": DECOMPOSED}, 1, None]}) == {COMPOSED: [{"a": COMPOSED}, 1, None]}
    with pytest.raises(ValueError, match="differ only"):
        nfc_json({DECOMPOSED: 1, COMPOSED: 2})


def test_names_that_older_versions_took_are_taken_from_archives():
    assert TypeAdapter(KeptName).validate_python("Ann\u2028Lee\x85") == "Ann Lee "
    with pytest.raises(ValidationError):
        TypeAdapter(KeptName).validate_python("a\n")


def test_marks_without_end_cost_no_time():
    """Sorting them would take quadratic time."""
    marks = "\u0316\u0301" * 100_000
    assert nfc(marks) == marks
    assert nfc("a" * 2000 + DECOMPOSED * 2000) == "a" * 2000 + COMPOSED * 2000
