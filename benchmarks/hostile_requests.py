"""Damaged requests: valid requests for all routes of a running service, damaged in many ways."""

import base64
import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from PIL import Image

_BOUNDARY = "hostile"
_KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
_NESTED = 3000
_ODD_TEXTS = (
    "",
    "\0",
    "\ud800",
    "é" * 300,
    "../..",
    "%2e%2e%2f",
    "a" * 70_000,
    "default\r\nX: y",
    "'; --",
    "null",
    "{}",
    "-1",
)
_ODD_JSON = (
    *(
        "null",
        "true",
        "-1",
        "1e999",
        "-0",
        "9" * 5000,
        "1" + "0" * 400,
        '""',
        "[]",
        "{}",
        '"\\ud800"',
        '"\\u0000"',
        "NaN",
    ),
    *(
        "Infinity",
        "[" * _NESTED,
        '{"a":' * _NESTED,
        "[" * _NESTED + "]" * _NESTED,
        '"' + "x" * 70_000 + '"',
        "0.1e-400",
    ),
)
_ODD_HEADERS = (
    *(
        ("Content-Type", each)
        for each in ("", "a/b", "application/json; charset=utf-16", "multipart/form-data", "text/html")
    ),
    *(("Content-Type", f"multipart/form-data; boundary={each}") for each in ('""', "x" * 300, "hostile; x", "=")),
    *(("Content-Length", each) for each in ("-1", "0", "1", "99999999999999999999", "1e3", "5, 6", "")),
    *(("Transfer-Encoding", each) for each in ("chunked", "gzip", "chunked, chunked", "identity", "xchunked")),
    *(("Content-Encoding", each) for each in ("gzip", "br", "deflate", "x")),
    *(("Idempotency-Key", each) for each in ("", "k" * 255, "k" * 256, "\xff\xfe", "a\tb", "'\"--")),
    *(("If-Match", each) for each in ("*", '"', 'W/"1"', '"' * 1999, "x" * 2001, "\xff")),
    *(("X-Request-ID", each) for each in ("a b", "x" * 129, "\xff", "../")),
    *(("Authorization", each) for each in ("Bearer", "Bearer x", "Bearer \xff", "Basic eDp5", "x" * 9000)),
    *(("X-Api-Key", each) for each in ("", "arcid_", "x" * 9000)),
    *(
        ("Expect", "100-continue"),
        ("Upgrade", "websocket"),
        ("Host", ""),
        ("Range", "bytes=0-"),
        ("traceparent", "00-0-0-0"),
    ),
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as sent over the wire. The head is Latin-1."""

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def wire(self) -> bytes:
        """Return the request's bytes; by default with the true length."""
        headers = {"Host": "localhost", "Content-Length": str(len(self.body)), **self.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{self.method} {self.target} HTTP/1.1\r\n{head}\r\n".encode("latin-1", "replace") + self.body


class Mutator:
    """Generator of reproducible requests from a service's OpenAPI document and a photo, by their number."""

    def __init__(self, document: dict[str, Any], photo: bytes, key: str) -> None:
        self._schemas = document["components"]["schemas"]
        self._operations = [
            (method.upper(), path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        ]
        with Image.open(io.BytesIO(photo)) as opened:
            self._photo = opened.convert("RGB")
        self._key = key

    def request(self, seed: int) -> tuple[str, Request]:
        """Return the name of a damage, and a damaged request."""
        rng = random.Random(seed)
        method, path, operation = rng.choice(self._operations)
        body = operation.get("requestBody", {})
        contents = list(body.get("content", {}).items())
        if "x-json-body" in body:
            contents.append(("application/json", body["x-json-body"]))
        request = Request(method, _target(rng, path, operation), {"X-Api-Key": self._key})
        fields: dict[str, Any] = {}
        if contents:
            media_type, content = rng.choice(contents)
            example = body.get("x-json-body", {}).get("schema", {}).get("examples")
            fields = self._fields(rng, content.get("schema", {}), example)
            request = replace(request, headers={**request.headers, "Content-Type": media_type})
            request = self._with_body(rng, request, media_type, fields)
        damages: list[Callable[[random.Random, Request], Request]] = [_odd_header, _odd_target]
        if request.body:
            damages += [_damaged_body, _damaged_body, _cut_body, _chunked]
        if fields:
            damages += [_odd_json(fields)] * 3
        if "multipart" in request.headers.get("Content-Type", ""):
            damages += [_damaged_framing] * 3
        damage = rng.choice([*damages, _only_its_photo] if fields else damages)
        return damage.__name__.strip("_"), damage(rng, request)

    def _fields(self, rng: random.Random, schema: dict[str, Any], examples: list[Any] | None) -> dict[str, Any]:
        """Return an example of a schema, with damaged photos in place of photos."""
        name = schema.get("$ref", "").rpartition("/")[2]
        described = self._schemas.get(name, schema)
        example = (examples or described.get("examples") or [{}])[0]
        fields: dict[str, Any] = dict(example) if isinstance(example, dict) else {}
        for each, is_many in ((each, "items" in part) for each, part in described.get("properties", {}).items()):
            if each in {"photo", "photos", "probe", "reference", "file", "files"}:
                fields[each] = (
                    [self._damaged_photo(rng) for _ in range(rng.randint(1, 3))]
                    if is_many
                    else self._damaged_photo(rng)
                )
        if "reference" in fields:
            fields.pop("identity_id", None)
        return fields

    def _with_body(self, rng: random.Random, request: Request, media_type: str, fields: dict[str, Any]) -> Request:
        if media_type == "multipart/form-data":
            content_type = f"multipart/form-data; boundary={_BOUNDARY}"
            return replace(request, headers={**request.headers, "Content-Type": content_type}, body=_multipart(fields))
        if media_type.endswith("json"):
            return replace(request, body=_as_json(fields))
        lines = [
            _as_json(fields) if rng.random() < 0.5 else rng.choice(_ODD_JSON).encode()
            for _ in range(rng.randint(0, 30))
        ]
        return replace(request, body=b"\n".join(lines))  # lines of JSON, or an invalid archive

    def _damaged_photo(self, rng: random.Random) -> bytes:
        data = io.BytesIO()
        self._photo.resize((rng.randint(16, 120), rng.randint(16, 120))).save(data, rng.choice(_KINDS))
        return _damaged(rng, data.getvalue()) if rng.random() < 0.9 else data.getvalue()


def _target(rng: random.Random, path: str, operation: dict[str, Any]) -> str:
    """Fill a path and its query, sometimes with odd values, but never with the honest clients' collection."""
    for name in ("collection", "identity_id", "face_id"):
        usual = "default" if name == "collection" else "ada"
        path = path.replace(f"{{{name}}}", quote(_odd(rng) if rng.random() < 0.3 else usual, safe=""))
    while "{" in path:
        before, _, rest = path.partition("{")
        path = f"{before}{quote(_odd(rng), safe='')}{rest.partition('}')[2]}"
    queries = [each["name"] for each in operation.get("parameters", []) if each["in"] == "query" and rng.random() < 0.5]
    sent = "&".join(f"{name}={quote(_odd(rng))}" for name in queries)
    return f"{path}?{sent}" if sent else path


def _odd(rng: random.Random) -> str:
    if rng.random() < 0.3:
        return (
            base64.urlsafe_b64encode(b"after:%d" % rng.choice([0, 1, 10**18, 10**19, 2**63, -1])).decode().rstrip("=")
        )
    return rng.choice(_ODD_TEXTS).encode(errors="replace").decode() if rng.random() < 0.5 else str(rng.randint(-5, 500))


def _as_json(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, default=lambda photo: base64.b64encode(photo).decode()).encode()


def _multipart(fields: dict[str, Any]) -> bytes:
    parts = b""
    for name, value in fields.items():
        for each in value if isinstance(value, list) else [value]:
            is_file = isinstance(each, bytes)
            content = each if is_file else (each if isinstance(each, str) else json.dumps(each)).encode()
            head = f'Content-Disposition: form-data; name="{name}"' + ('; filename="a.jpg"' if is_file else "")
            parts += f"--{_BOUNDARY}\r\n{head}\r\n\r\n".encode() + content + b"\r\n"
    return parts + f"--{_BOUNDARY}--\r\n".encode()


def _damaged(rng: random.Random, data: bytes) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 12)):
        damage, at = rng.randrange(4), rng.randrange(max(1, len(damaged)))
        if damage == 0:
            damaged[at : at + 1] = bytes([rng.randrange(256)])
        elif damage == 1:
            del damaged[at : at + rng.randrange(64)]
        elif damage == 2:
            damaged[at:at] = rng.randbytes(rng.randrange(32))
        elif rng.random() < 0.2:
            del damaged[at:]
    return bytes(damaged)


def _only_its_photo(_rng: random.Random, request: Request) -> Request:
    return request


def _damaged_body(rng: random.Random, request: Request) -> Request:
    return replace(request, body=_damaged(rng, request.body))


def _cut_body(rng: random.Random, request: Request) -> Request:
    """Announce another length than is sent."""
    length = max(0, len(request.body) + rng.choice([-1, 1, 100, -100, -len(request.body)]))
    return replace(request, headers={**request.headers, "Content-Length": str(length)})


def _chunked(rng: random.Random, request: Request) -> Request:
    chunks = [request.body[at : at + 997] for at in range(0, len(request.body), 997)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in chunks) + b"0\r\n\r\n"
    if rng.random() < 0.7:
        framed = _damaged(rng, framed)
    headers = {**request.headers, "Transfer-Encoding": "chunked"}
    wire = replace(request, headers=headers, body=framed)
    return wire if rng.random() < 0.3 else replace(wire, headers={**headers, "Content-Length": "5"})


def _odd_header(rng: random.Random, request: Request) -> Request:
    name, value = rng.choice(_ODD_HEADERS)
    return replace(request, headers={**request.headers, name: value})


def _odd_target(rng: random.Random, request: Request) -> Request:
    at = rng.randrange(len(request.target))
    odd = rng.choice(["//", "%00", "%", "%zz", "..", ";", "?", "#", "\xff", " ", "%ff", "%2F", "*"])
    method = rng.choice([request.method, "HEAD", "OPTIONS", "TRACE", "CONNECT", "PUT", "X", "get"])
    return replace(request, method=method, target=request.target[:at] + odd + request.target[at:])


def _damaged_framing(rng: random.Random, request: Request) -> Request:
    """Damage boundaries and heads of parts, but not their contents."""
    old, new = rng.choice(
        [
            (b"--hostile--", b""),
            (b"--hostile--", b"--hostile" * 5),
            (b"--hostile\r\n", b"--hostile\n"),
            (b"--hostile\r\n", b"--Hostile\r\n"),
            (b"form-data", b"attachment"),
            (b"Content-Disposition", b"Content-Disposition" * 500),
            (b"Content-Disposition", b"X: " + b"y" * 100_000 + b"\r\nContent-Disposition"),
            (b'name="', b'name="\xff'),
            (b'name="', b"name*=utf-8''%ff; x=\""),
            (b'name="', b'name="a"; name="'),
            (b'filename="', b'filename="' + b"../" * 3000),
            (b'; filename="a.jpg"', b""),
            (b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
            (b"\r\n\r\n", b"\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n"),
            (b"\r\n\r\n", b"\r\n"),
            (b"\r\n", b"\n"),
        ]
    )
    return replace(request, body=request.body.replace(old, new, rng.choice([1, -1])))


def _odd_json(fields: dict[str, Any]) -> Callable[[random.Random, Request], Request]:
    def odd_json(rng: random.Random, request: Request) -> Request:
        """Replace the value of one field, or the whole body."""
        name, odd = rng.choice(list(fields)), rng.choice(_ODD_JSON)
        if "multipart" in request.headers["Content-Type"]:
            return replace(request, body=_multipart({**fields, rng.choice(["metadata", "where", name, "top_k"]): odd}))
        text = _as_json({**fields, name: "HERE"}).decode().replace('"HERE"', odd)
        if rng.random() < 0.2:
            text = text[:-1] + "," + text[1:]  # each name twice
        return replace(request, body=(odd if rng.random() < 0.1 else text).encode())

    return odd_json
