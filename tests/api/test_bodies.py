"""Bodies as all kinds of clients write them: base64 in every spelling, parts of forms without names, and mistakes."""

import base64
import gzip
import json
import textwrap
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import BaseModel, TypeAdapter

from app.api.http.body import FILE_FIELDS
from app.api.http.field_names import meant
from app.api.schemas import fields, probe_requests, requests
from app.api.schemas.base64_photos import bytes_of
from app.api.schemas.challenges import ChallengeAnswer
from app.compreface.requests import CompreFacePair, CompreFacePhoto
from app.deepface.requests import DeepFacePair, DeepFacePhoto
from tests.api.test_errors import expect

# Their base64 has both characters that differ for URLs, and needs padding.
DATA = bytes(range(256)) + b"\xfb\xff\xbf\xff"
PLAIN = base64.b64encode(DATA).decode()
SPELLINGS = {
    "plain": PLAIN,
    "lines of 76": "\r\n".join(textwrap.wrap(PLAIN, 76)),
    "lines of 64": "\n".join(textwrap.wrap(PLAIN, 64)) + "\n",
    "end of line": PLAIN + "\n",
    "indented": "  " + PLAIN + "\t",
    "for URLs": base64.urlsafe_b64encode(DATA).decode(),
    "unpadded": PLAIN.rstrip("="),
    "for URLs, unpadded, wrapped": "\n".join(textwrap.wrap(base64.urlsafe_b64encode(DATA).decode().rstrip("="), 76)),
    "data: URL": "data:image/jpeg;base64," + PLAIN,
    "data: URL in capitals": " DATA:image/jpeg;charset=utf-8;BASE64," + PLAIN,
    "data: URL without a type": "data:;base64," + PLAIN,
    "data: URL, escaped": "data:image/jpeg;base64," + quote(PLAIN, safe=""),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_base64_is_taken_as_it_is_written(spelling):
    assert bytes_of(SPELLINGS[spelling], "photo") == DATA


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("kind", [fields.Photo, fields.Upload])
def test_fields_of_json_take_every_spelling(kind, spelling):
    text = json.dumps(SPELLINGS[spelling])
    assert TypeAdapter(kind).validate_json(text, strict=True) == DATA


def _file_fields(schema: type[BaseModel]) -> set[str]:
    properties = schema.model_json_schema().get("properties", {})
    return {name for name, each in properties.items() if "contentEncoding" in str(each)}


def test_the_fields_that_hold_files_are_known():
    members = [*vars(requests).values(), *vars(probe_requests).values(), CompreFacePhoto, CompreFacePair]
    members += [DeepFacePhoto, DeepFacePair, ChallengeAnswer]
    schemas = [each for each in members if isinstance(each, type) and issubclass(each, BaseModel) and each != BaseModel]
    assert set.union(*(_file_fields(each) for each in schemas)) == FILE_FIELDS


IN_FORMS = {
    "visitor.jpg": "with curl write -F photo=@visitor.jpg",
    "@visitor.jpg": "with curl write -F photo=@visitor.jpg",
    "/home/ada/Pictures/my visitor.HEIC": "is the name of a file, not its bytes; with curl write -F 'photo=@/home/",
    "~/x y.jpg": """'~/x y.jpg' is the name of a file, not its bytes; with curl write -F photo=@"$HOME"/'x y.jpg'""",
    f"{'v' * 60}.jpg": "not its bytes; with curl write -F photo=@FILE",
    "https://photos.example/1.jpg": "send it as photo_url",
    "data:image/png,abc": "is not base64",
    "!!!!": "neither a file nor valid base64",
    "abcde": "5 characters cannot be base64; curl sends a file with -F photo=@FILE",
    "visitor": "'visitor' is a text, not a file; with curl write -F photo=@visitor",
    "my portrait": "'my portrait' is a text, not a file",
    "my" + " " * 100_000 + "portrait": f"'my{' ' * 58}' is a text, not a file",
    "data:image/jpeg": "the data: URL has no data; curl -F cuts a value at ';', so write --form-string photo=data:",
    "data:image/png;base64,iVBO": "the data: URL holds 3 bytes, too few for a photo",
}
_AS_BASE64 = "; send the photo's bytes as base64"
IN_JSON = IN_FORMS | {
    "data:image/jpeg": f"the data: URL has no data{_AS_BASE64}",
    "visitor.jpg": f"'visitor.jpg' is the name of a file, not its bytes{_AS_BASE64}",
    "@visitor.jpg": f"'visitor.jpg' is the name of a file, not its bytes{_AS_BASE64}",
    "/home/ada/Pictures/my visitor.HEIC": f"is the name of a file, not its bytes{_AS_BASE64}",
    "~/x y.jpg": f"'~/x y.jpg' is the name of a file, not its bytes{_AS_BASE64}",
    f"{'v' * 60}.jpg": f"not its bytes{_AS_BASE64}",
    "!!!!": f"it is not valid base64: it contains '!'{_AS_BASE64}",
    "abcde": f"5 characters cannot be base64{_AS_BASE64}",
    "visitor": f"'visitor' is a text, not a file{_AS_BASE64}",
    "my portrait": f"'my portrait' is a text, not a file{_AS_BASE64}",
    "my" + " " * 100_000 + "portrait": f"'my{' ' * 58}' is a text, not a file{_AS_BASE64}",
}


@pytest.mark.parametrize("text", IN_FORMS)
def test_what_was_meant_is_told(client, text):
    forms, json_bodies = {"files": {"photo": (None, text)}}, {"json": {"photo": text}}
    for sent, mistakes in ((forms, IN_FORMS), (json_bodies, IN_JSON)):
        answer = client.post("/identify", **sent)
        expect(answer, 422, "request_invalid")
        assert answer.json()["errors"][0]["field"] == "photo"
        assert mistakes[text] in answer.json()["errors"][0]["detail"]
    assert "curl" not in answer.json()["errors"][0]["detail"]


def test_short_base64_of_a_text_stays_the_bytes_that_it_is(client):
    answer = client.post("/identify", json={"photo": base64.b64encode(b"hello").decode()})
    expect(answer, 422, "not_an_image")
    assert answer.json()["detail"].startswith("the bytes are a short text, not an image")


def form(*parts: tuple[str, bytes]) -> dict[str, Any]:
    """Return a form whose parts have these heads; `\\udce9` in a head is the byte E9."""
    heads = [head.encode(errors="surrogateescape") for head, _ in parts]
    texts = [b"--x\r\n" + head + b"\r\n\r\n" + data + b"\r\n" for head, (_, data) in zip(heads, parts, strict=True)]
    body = b"".join(texts) + b"--x--\r\n"
    return {"content": body, "headers": {"Content-Type": "multipart/form-data; boundary=x"}}


HEADS = {
    "without a name": 'Content-Disposition: form-data; name="photo"',
    "with filename* alone": "Content-Disposition: form-data; name=\"photo\"; filename*=UTF-8''visitor.jpg",
    "with an empty name": 'Content-Disposition: form-data; name="photo"; filename=""\r\nContent-Type: image/jpeg',
    "with a type alone": 'Content-Disposition: form-data; name="photo"\r\nContent-Type: image/jpeg',
    "with a type of text": 'Content-Disposition: form-data; name="photo"\r\nContent-Type: text/plain',
}


@pytest.mark.parametrize("head", HEADS)
def test_a_part_that_is_clearly_a_file_is_taken(client, portrait, head):
    for photo in (portrait, base64.encodebytes(portrait)):
        answer = client.post("/identify", **form((HEADS[head], photo)))
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["faces"]) == 1


def test_a_large_file_without_a_name_is_taken(client, portrait):
    padded = portrait + bytes(200_000)
    assert client.post("/identify", **form((HEADS["without a name"], padded))).status_code == 200


def test_empty_fields_are_not_given(client, portrait):
    empty = {"top_k": "", "threshold": "", "max_fpir": "", "where": "", "photo_url": "", "collection": ""}
    assert client.post("/identify", files={"photo": portrait}, data=empty).status_code == 200
    unchosen = form((HEADS["with an empty name"], b""))
    expect(client.post("/identify", **unchosen), 422, "request_invalid")


@pytest.mark.parametrize(
    ("path", "sent", "empty", "names"),
    [
        ("/identify", {"photo": ""}, "photo", "photo, photo_url"),
        ("/identify", {"photo_url": "", "top_k": ""}, "photo_url", "photo, photo_url"),
        ("/enroll", {"photos": ""}, "photos", "photos, photo_urls"),
        ("/verify", {"probe": PLAIN, "reference": ""}, "reference", "reference, reference_url, identity_id"),
        ("/identify", {"top_k": ""}, "body", "photo, photo_url"),
        ("/identify", {"photo": PLAIN, "photo_url": "https://a.example/1.jpg"}, "body", "photo, photo_url"),
    ],
)
def test_an_empty_field_is_named_if_it_is_the_one_that_is_missing(client, path, sent, empty, names):
    answer = client.post(path, files={name: (None, value) for name, value in sent.items()})
    expect(answer, 422, "request_invalid")
    detail = f"{'' if empty == 'body' else 'is empty; '}send exactly one of {names}"
    assert answer.json()["errors"] == [{"field": empty, "detail": detail}]


@pytest.mark.parametrize(
    ("path", "field", "words"),
    [
        ("/identify", "photos", "did you mean photo?"),
        ("/identify", "Photo", "did you mean photo?"),
        ("/identify", "file", "did you mean photo?"),
        ("/identify", "image", "did you mean photo?"),
        ("/enroll", "photo", "did you mean photos?"),
        ("/enroll", "image", "did you mean photos?"),
        ("/verify", "probes", "did you mean probe?"),
        ("/identify", "zzz", "known are "),
    ],
)
def test_a_wrong_name_of_a_field_is_told_with_the_nearest(client, portrait, path, field, words):
    for answer in (
        client.post(path, files={field: portrait}),
        client.post(path, json={field: base64.b64encode(portrait).decode()}),
    ):
        expect(answer, 422, "request_invalid")
        details = [each["detail"] for each in answer.json()["errors"] if each["field"] == field]
        assert words in details[0]
        assert "known are collection" in details[0] or "known are p" in details[0]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "x-gzip"])
def test_a_compressed_body_is_refused_in_words(client, portrait, encoding):
    headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
    for path in ("/identify", "/collections", "/api/v1/recognition/subjects"):
        answer = client.post(path, content=gzip.compress(b'{"photo": ""}'), headers=headers)
        assert answer.status_code == 415
        assert "content_encoding_unsupported" in answer.text
        assert encoding in answer.text
    plain = {**headers, "Content-Encoding": "identity"}
    expect(client.post("/identify", content=b"{}", headers=plain), 422, "request_invalid")


def test_a_wrong_content_type_is_named(client, portrait):
    for content_type in ("image/jpeg", "application/x-www-form-urlencoded", "application/octet-stream", "text/json"):
        answer = client.post("/identify", content=portrait, headers={"Content-Type": content_type})
        expect(answer, 415, "content_type_unsupported")
        assert content_type in answer.json()["detail"]
        assert "curl -F photo=@" in answer.json()["detail"]
    answer = client.post("/identify", content=b"--x", headers={"Content-Type": "multipart/form-data"})
    expect(answer, 400, "body_malformed")
    assert "leave that header to the HTTP client" in answer.json()["detail"]
    answer = client.post("/identify", content=b'{"photo": "a"', headers={"Content-Type": "application/json"})
    expect(answer, 400, "body_malformed")
    assert "line 1" in answer.json()["detail"]


IDENTITY = 'Content-Disposition: form-data; name="identity_id"'
CYRILLIC = bytes.fromhex("c7eeff")  # in Windows-1251


@pytest.mark.parametrize("content_type", ["", "; charset=iso-8859-1", "; charset=unknown"])
def test_a_field_that_is_not_utf8_is_refused_with_its_name(client, portrait, content_type):
    sent = form((IDENTITY, CYRILLIC), (HEADS["without a name"].replace("photo", "photos"), portrait))
    sent["headers"]["Content-Type"] += content_type
    answer = client.post("/enroll", **sent)
    expect(answer, 422, "request_invalid")
    assert answer.json()["errors"] == [{"field": "identity_id", "detail": "not valid UTF-8; send it as UTF-8"}]
    subject = form((IDENTITY.replace("identity_id", "subject"), CYRILLIC))
    coded = {"content": "subject=%C7", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}
    for body in (subject, coded):
        answer = client.post("/api/v1/recognition/faces", **body)
        assert (answer.status_code, answer.json()["arcid_code"]) == (400, "request_invalid")
        assert answer.json()["message"] == "subject: not valid UTF-8; send it as UTF-8"
    expect(client.post("/enroll", **form((IDENTITY.replace("identity_id", "\udce9"), b"x"))), 422, "request_invalid")


@pytest.mark.parametrize("name", ["Zo%EB", "Zo%E9", "%ED%A0%80", "%C0%AF", "ok&name=%FF"])
def test_a_path_or_query_that_is_not_utf8_is_refused(client, name):
    people = "/collections/default/identities"
    for path in (f"{people}?search={name}", f"/healthz?{name}=1", f"{people}/{name.removeprefix('ok&name=')}"):
        answer = client.get(path)
        expect(answer, 422, "request_invalid")
        assert "percent-encode it as UTF-8" in answer.json()["detail"]
    answer = client.delete(f"/api/v1/recognition/faces?subject={name}")
    assert (answer.status_code, answer.json()["arcid_code"]) == (400, "request_invalid")
    assert answer.json()["errors"][0]["field"] in {"query.subject", "query.name"}
    # U+FFFD itself is a character.
    assert client.get(f"{people}/%EF%BF%BD").json()["code"] == "identity_unknown"


def test_a_form_that_is_cut_off_is_refused_wherever_it_is_cut(client, portrait):
    photos = HEADS["without a name"].replace("photo", "photos")
    whole = form((photos, portrait), (IDENTITY, b"cut off"), ('Content-Disposition: form-data; name="name"', b"Ada"))
    content, headers = whole["content"], whole["headers"]
    end = content.rindex(b"--x--")
    for cut in (len(content) // 2, content.rindex(b"cut off") + 3, end - 2, end, end + 3, end + 4):
        answer = client.post("/enroll", content=content[:cut], headers=headers)
        expect(answer, 400, "body_malformed")
        assert "the closing boundary is missing" in answer.json()["detail"]
    assert client.get("/collections/default/identities/cut%20off").json()["code"] == "identity_unknown"
    assert client.post("/enroll", content=content[: end + 5], headers=headers).is_success  # without the last line's end
    assert client.delete("/collections/default/identities/cut%20off").is_success


@pytest.mark.parametrize(
    ("name", "fields", "right"),
    [
        ("SourceImage", ("probe", "reference"), "probe"),  # Rekognition
        ("TargetImage", ("probe", "reference"), "reference"),
        ("ExternalImageId", ("photos", "identity_id"), "identity_id"),
        ("FaceMatchThreshold", ("photo", "threshold"), "threshold"),
        ("MaxFaces", ("photo", "top_k"), "top_k"),
        ("CollectionId", ("photo", "collection"), "collection"),
        ("img1_path", ("probe", "reference"), "probe"),  # DeepFace
        ("img2_path", ("probe", "reference"), "reference"),
        ("img", ("photo", "model"), "photo"),
        ("db_path", ("photo", "collection"), "collection"),
        ("model_name", ("photo", "model"), "model"),
        ("source_image", ("probe", "reference"), "probe"),  # CompreFace
        ("target_image", ("probe", "reference"), "reference"),
        ("subject", ("photos", "identity_id"), "identity_id"),
        ("prediction_count", ("photo", "top_k"), "top_k"),
        ("images", ("photos", "photo_urls"), "photos"),  # InsightFace-REST
        ("face", ("photo",), "photo"),
        ("image_url", ("photo", "photo_url"), "photo_url"),
        ("vector", ("embedding", "top_k"), "embedding"),
        ("tresh", ("threshold",), "threshold"),
        ("zzz", ("threshold",), None),
        ("colection", ("collection",), "collection"),
    ],
)
def test_names_of_other_services_are_known(name, fields, right):
    assert meant(name, fields) == right


def test_a_deprecated_name_is_announced(client):
    former, current = ({"name": "spelled", name: 0.4} for name in ("enrol_quality", "enroll_quality"))
    for body, expected in ((former, "@1795824000"), (current, None)):
        answer = client.post("/collections", json=body)
        assert answer.status_code == 201
        assert answer.headers.get("Deprecation") == expected
        client.delete("/collections/spelled")


def test_landmarks_can_be_left_out(client, group_photo):
    for path in ("/detect", "/embed", "/identify"):
        full, short = (
            client.post(path, files={"photo": group_photo}, data={"landmarks": each}).json()["faces"][0]
            for each in ("true", "false")
        )
        assert len(full["landmarks"]) == 5
        assert short == full | {"landmarks": []}
    both = {"probe": group_photo, "reference": group_photo}
    answer = client.post("/verify", files=both, data={"landmarks": "false"}).json()
    assert answer["probe_face"]["landmarks"] == answer["reference_face"]["landmarks"] == []


def test_components_of_the_quality_can_be_left_out(client, group_photo):
    for path in ("/detect", "/embed", "/identify"):
        full, short = (
            client.post(path, files={"photo": group_photo}, data={"components": each}).json()["faces"][0]
            for each in ("true", "false")
        )
        assert full["quality"]["components"][full["quality"]["worst"]] >= 0
        assert short == full | {"quality": full["quality"] | {"components": {}, "worst": None}}
    both = {"probe": [group_photo, group_photo], "reference": group_photo}
    files = [
        (name, each) for name, photos in both.items() for each in (photos if isinstance(photos, list) else [photos])
    ]
    answer = client.post("/verify", files=files, data={"components": "false"}).json()
    faces = [answer["probe_face"], answer["reference_face"], *(each["face"] for each in answer["photos"])]
    assert [each["quality"]["components"] for each in faces] == [{}] * 4


def test_boxes_have_tenths_of_a_pixel(client, group_photo):
    face = client.post("/detect", files={"photo": group_photo}).json()["faces"][0]
    numbers = [*face["box"], *(each for point in face["landmarks"] for each in point)]
    assert numbers == [round(each, 1) for each in numbers]
