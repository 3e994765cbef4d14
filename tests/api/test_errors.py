"""Every error code a client can meet, through HTTP."""

import io
import struct
import zlib

import pytest
from PIL import Image
from starlette.testclient import TestClient

from app import errors
from app.api.http.errors import STATUS, status_of
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Person
from app.main import create_app
from tests.gallery.store.enrolling import new_face


def huge_png(side):
    """A PNG whose header promises side x side pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def identify(client, photo, **fields):
    return client.post("/identify", files={"photo": photo}, data=fields)


def expect(answer, status, code):
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code)
    assert body["status"] == status
    assert body["type"] == f"urn:arcid:error:{code}"
    assert body["title"]
    assert body["detail"]
    assert answer.headers["x-request-id"]
    assert "Traceback" not in answer.text


def test_not_an_image(client):
    expect(identify(client, b"%PDF-1.7 nothing"), 422, "not_an_image")
    expect(identify(client, b""), 422, "not_an_image")


def test_image_damaged(client, group_photo):
    expect(identify(client, group_photo[: len(group_photo) // 2]), 422, "image_damaged")


def test_too_many_bytes(client, settings):
    expect(identify(client, b"x" * (settings.limits.photo_bytes + 1)), 413, "too_many_bytes")


@pytest.mark.parametrize("side", [10_000, 20_000, 60_000])
def test_too_many_pixels(client, side):
    expect(identify(client, huge_png(side)), 413, "too_many_pixels")


def test_no_face(client, portrait, faceless):
    expect(client.post("/verify", files={"probe": faceless, "reference": portrait}), 422, "no_face")


def test_several_faces(client, group_photo):
    answer = client.post("/enroll", files={"photos": group_photo})
    expect(answer, 422, "nothing_enrolled")
    assert answer.json()["rejected"][0]["code"] == "several_faces"


def test_identity_unknown(client, portrait):
    expect(client.post("/verify", files={"probe": portrait}, data={"identity_id": "x"}), 404, "identity_unknown")


@pytest.mark.parametrize("path", ["/enroll", "/identify"])
def test_collection_unknown(client, portrait, path):
    files = {"photos" if path == "/enroll" else "photo": portrait}
    expect(client.post(path, files=files, data={"collection": "x"}), 404, "collection_unknown")


def test_model_mismatch(client, settings, portrait):
    database = client.app.state.services.database
    store = IdentityStore(database.engine, database.vault)
    other = store.create_collection("other-network", model="another", dimension=4)
    store.enroll(other, Person("ada"), [new_face()])
    expect(identify(client, portrait, collection="other-network"), 409, "model_mismatch")


@pytest.mark.parametrize("path", ["/enroll", "/verify", "/identify"])
def test_bodies(client, path):
    expect(client.post(path), 400, "body_empty")
    expect(client.post(path, content=b"", headers={"Content-Type": "application/json"}), 400, "body_empty")
    expect(client.post(path, content=b"{", headers={"Content-Type": "application/json"}), 400, "body_malformed")
    expect(client.post(path, content=b"\xff", headers={"Content-Type": "application/json"}), 400, "body_malformed")
    expect(
        client.post(path, content=b"[" * 100_000, headers={"Content-Type": "application/json"}), 400, "body_malformed"
    )
    expect(client.post(path, json=[1]), 422, "request_invalid")
    expect(client.post(path, json={}), 422, "request_invalid")
    expect(client.post(path, content=b"abc", headers={"Content-Type": "text/plain"}), 415, "content_type_unsupported")
    expect(client.post(path, content=b"abc", headers={"Content-Type": "image/jpeg"}), 415, "content_type_unsupported")
    no_boundary = {"Content-Type": "multipart/form-data"}
    expect(client.post(path, content=b"abc", headers=no_boundary), 400, "body_malformed")
    broken = {"Content-Type": "multipart/form-data; boundary=b"}
    expect(client.post(path, content=b"not what was promised", headers=broken), 400, "body_malformed")


def test_body_too_large(settings, portrait):
    small = settings.model_copy(update={"limits": settings.limits.model_copy(update={"body_bytes": 100_000})})
    with TestClient(create_app(small)) as client:
        expect(identify(client, b"x" * 100_001), 413, "body_too_large")

        head = b'--b\r\nContent-Disposition: form-data; name="photo"; filename="p"\r\n\r\n'
        for content_type, begin in (("application/json", b""), ("multipart/form-data; boundary=b", head)):
            chunks = (each for each in (begin + b"x" * 60_000, b"x" * 60_000))
            answer = client.post("/identify", content=chunks, headers={"Content-Type": content_type})
            expect(answer, 413, "body_too_large")


def test_not_found_and_wrong_method(client):
    answer = client.get("/nothing")
    expect(answer, 404, "not_found")
    assert answer.json()["detail"] == "there is no page or route at '/nothing'"
    answer = client.get("/identify")
    expect(answer, 405, "method_not_allowed")
    assert answer.json()["detail"] == "GET is not a method of '/identify'; use POST"
    assert answer.headers["allow"] == "POST"


def test_idempotency_key_has_a_length(client, portrait):
    answer = client.post("/enroll", files={"photos": portrait}, headers={"Idempotency-Key": "x" * 256})
    expect(answer, 422, "request_invalid")


def test_a_failure_inside_stays_inside(settings, monkeypatch, portrait):
    app = create_app(settings)
    with TestClient(app, raise_server_exceptions=False) as client:

        def fail(*_args, **_kwargs):
            raise RuntimeError("secret inner state")

        monkeypatch.setattr(type(app.state.services.gallery), "require", fail)
        answer = identify(client, portrait)
        expect(answer, 500, "internal_error")
        assert "secret" not in answer.text


def test_every_error_class_has_its_own_code():
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.ArcidError)]
    codes = [each.code for each in classes if "code" in vars(each)]
    assert len(codes) == len(set(codes))
    assert all(status_of(each) == status for each, status in STATUS.items())


@pytest.mark.parametrize("mode", ["L", "P", "LA", "RGBA", "CMYK", "1", "I;16"])
def test_unusual_photos_are_accepted(client, portrait, mode):
    photo = Image.open(io.BytesIO(portrait)).convert("RGB")
    if mode == "I;16":
        deep = photo.convert("I").point(lambda value: value * 257)
        changed = deep.convert("I;16")
    else:
        changed = photo.convert(mode)
    data = io.BytesIO()
    changed.save(data, "JPEG" if mode == "CMYK" else "PNG")
    answer = identify(client, data.getvalue())
    assert answer.status_code == 200
    assert len(answer.json()["faces"]) == 1


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_counts(client, portrait, kind):
    face = Image.open(io.BytesIO(portrait)).convert("RGB")
    data = io.BytesIO()
    face.save(data, kind, save_all=True, append_images=[Image.new("RGB", face.size)], duration=100)
    assert len(identify(client, data.getvalue()).json()["faces"]) == 1
