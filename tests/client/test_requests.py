"""Requests of the client."""

import io
import json
from datetime import UTC, datetime, timedelta, timezone
from email.parser import BytesParser
from typing import Any

import pytest

from arcid import Consent, PhotoUrl, ServerFailed, ServerPath
from tests.client.conftest import Answers, client_of, json_answer

EMPTY = json_answer(500)


def sent(call, **options):
    """Return the request that a client sends for a call."""
    answers = Answers(EMPTY)
    with client_of(answers, retries=0, **options) as client, pytest.raises(ServerFailed):
        call(client)
    return answers.requests[0]


def form_of(request):
    """Return the parts of a form: name -> (contents, file names)."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    parts: dict[Any, list[Any]] = {}
    for part in BytesParser().parsebytes(head + request.read()).walk():
        if not part.is_multipart():
            name = part.get_param("name", header="content-disposition")
            parts.setdefault(name, []).append((part.get_payload(decode=True), part.get_filename()))
    return parts


def test_a_photo_is_bytes_a_path_or_a_file_and_its_name_stays_here(tmp_path):
    path = tmp_path / "ada-lovelace.jpg"
    path.write_bytes(b"photo")
    for photo in (b"photo", path, str(path), io.BytesIO(b"photo")):
        request = sent(lambda client, photo=photo: client.identify(photo, top_k=3, where={"site": "Oslo", "on": True}))
        form = form_of(request)
        assert form["photo"] == [(b"photo", "photo")]
        assert form["top_k"] == [(b"3", None)]
        assert json.loads(form["where"][0][0]) == {"site": "Oslo", "on": True}
        assert set(form) == {"photo", "collection", "top_k", "where"}
    with path.open() as text, pytest.raises(TypeError, match="binary"):
        sent(lambda client: client.detect(text))
    with pytest.raises(FileNotFoundError):
        sent(lambda client: client.detect("nowhere.jpg"))


def test_several_photos_and_what_else_a_form_says():
    consent = Consent("contract", datetime(2026, 5, 4, tzinfo=UTC))
    ends = datetime(2027, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    form = form_of(
        sent(
            lambda client: client.enroll([b"1", b"2"], metadata={"é": 1}, consent=consent, expires_at=ends, name="Zoë")
        )
    )
    assert form["photos"] == [(b"1", "photos"), (b"2", "photos")]
    assert json.loads(form["metadata"][0][0]) == {"é": 1}
    assert json.loads(form["consent"][0][0]) == {"basis": "contract", "given_at": "2026-05-04T00:00:00+00:00"}
    assert form["expires_at"] == [(b"2027-01-01T00:00:00+02:00", None)]
    assert form["name"][0][0].decode() == "Zoë"
    assert form["face"] == [(b"main", None)]


def test_photos_by_url():
    two = [PhotoUrl("https://a.example/1.jpg"), PhotoUrl("https://a.example/2.jpg")]
    body = json.loads(sent(lambda client: client.enroll(two, identity_id="ada")).read())
    assert body == {
        "photo_urls": [each.url for each in two],
        "identity_id": "ada",
        "collection": "default",
        "face": "main",
    }
    assert json.loads(sent(lambda client: client.detect(two[0], model="m")).read()) == {
        "photo_url": two[0].url,
        "model": "m",
    }
    form = form_of(sent(lambda client: client.verify(b"probe", two[1])))
    assert form["probe"] == [(b"probe", "probe")]
    assert form["reference_url"] == [(two[1].url.encode(), None)]
    with pytest.raises(ValueError, match="either"):
        sent(lambda client: client.enroll([b"1", two[0]]))


@pytest.mark.parametrize(
    ("identity_id", "path"),
    [
        ("a/b", b"a%2Fb"),
        ("ada/export", b"ada%2Fexport"),
        ("..", b"%2E%2E"),
        (".", b"%2E"),
        ("a?b#c%d é", b"a%3Fb%23c%25d%20%C3%A9"),
        ("../faces", b"..%2Ffaces"),
    ],
)
def test_an_id_stays_one_part_of_the_path(identity_id, path):
    request = sent(lambda client: client.identities.delete(identity_id, collection="c"))
    assert request.url.raw_path == b"/v1/collections/c/identities/" + path


def test_an_empty_id_is_refused_before_it_means_the_whole_list():
    for call in (
        lambda client: client.identities.delete(""),
        lambda client: client.collections.delete(""),
        lambda client: client.jobs.get(""),
    ):
        with client_of(Answers(EMPTY)) as client, pytest.raises(ValueError, match="empty"):
            call(client)


def test_a_change_says_only_what_is_named_and_null_for_none():
    request = sent(lambda client: client.identities.patch("ada", etag='"3"', name=None))
    assert (request.method, json.loads(request.read()), request.headers["if-match"]) == ("PATCH", {"name": None}, '"3"')
    request = sent(lambda client: client.collections.patch("staff", threshold=None, flip=False))
    assert json.loads(request.read()) == {"threshold": None, "flip": False}
    assert "if-match" not in request.headers
    request = sent(lambda client: client.collections.create("staff", retention_days=None, keep_crops=True))
    assert json.loads(request.read()) == {"name": "staff", "retention_days": None, "keep_crops": True}


def test_what_a_job_imports():
    form = form_of(sent(lambda client: client.jobs.import_photos(b"PK", flat=True)))
    assert form == {
        "kind": [(b"import", None)],
        "collection": [(b"default", None)],
        "face": [(b"main", None)],
        "flat": [(b"true", None)],
        "file": [(b"PK", "file")],
    }
    request = sent(lambda client: client.jobs.import_embeddings(ServerPath("a/b.ndjson"), model="m"))
    assert json.loads(request.read()) == {
        "kind": "import_embeddings",
        "path": "a/b.ndjson",
        "collection": "default",
        "model": "m",
    }


def test_the_key_comes_by_argument_or_from_the_environment(monkeypatch):
    def key(**options):
        return sent(lambda client: client.models(), **options).headers.get("authorization")

    monkeypatch.delenv("ARCID_API_KEY", raising=False)
    assert key() is None
    assert key(api_key="k1") == "Bearer k1"
    monkeypatch.setenv("ARCID_API_KEY", "k2")
    assert key() == "Bearer k2"
    assert key(api_key="k1") == "Bearer k1"
    assert key(api_key="") is None


def test_a_path_in_front_of_the_routes_and_the_timeouts():
    request = sent(lambda client: client.models(), base_url="https://example.org/faces/", timeout_s=90)
    assert str(request.url) == "https://example.org/faces/v1/models"
    assert request.extensions["timeout"] == {"connect": 5.0, "read": 90, "write": 90, "pool": 90}
    assert sent(lambda client: client.models(), timeout_s=2).extensions["timeout"]["connect"] == 2
    assert sent(lambda client: client.models(), timeout_s=None).extensions["timeout"]["read"] is None
