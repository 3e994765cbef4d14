"""The page at `/` and its files: HTML, CSS, ES modules and messages from `app/web`, read once."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob: data:",
    "connect-src": "'self'",
    "media-src": "'self' blob:",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), display-capture=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Browsers ask again each time and get 304, so that all files are of one version after an update.
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str
    etag: str


def install(app: FastAPI, samples: Mapping[str, bytes]) -> None:
    """Serve the page at `/` and its files below `/web/`; they need no key and are not part of the API.

    `samples` are JPEG files by name, which are served like the page's own; `/web/sample-photos.json` lists their names.
    """
    served = _read() | {name: _file(content, "image/jpeg") for name, content in samples.items()}
    served["sample-photos.json"] = _file(json.dumps(list(samples)).encode(), _TYPES[".json"])

    async def page(request: Request) -> Response:
        return _answer(request, served["index.html"])

    async def asset(request: Request) -> Response:
        found = served.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        return _answer(request, found)

    app.add_route("/", page, include_in_schema=False)
    app.add_route("/web/{name}", asset, include_in_schema=False)


def _read() -> dict[str, _File]:
    web = files("app") / "web"
    contents = {each.name: each.read_bytes() for each in web.iterdir() if each.is_file()}
    contents |= {f"messages.{each.name}.json": _messages(each) for each in (web / "messages").iterdir()}
    suffixes = {name: name[name.rfind(".") :] for name in contents}
    return {name: _file(contents[name], _TYPES[suffix]) for name, suffix in suffixes.items() if suffix in _TYPES}


def _messages(language: Traversable) -> bytes:
    """Return all texts of one language as one JSON object; `title` of `people.json` is `people.title`."""
    areas = {each.name.removesuffix(".json"): json.loads(each.read_bytes()) for each in language.iterdir()}
    texts = {f"{area}.{key}": text for area, own in sorted(areas.items()) for key, text in own.items()}
    return json.dumps(texts, ensure_ascii=False).encode()


def _file(content: bytes, media_type: str) -> _File:
    return _File(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def _answer(request: Request, file: _File) -> Response:
    headers = {**HEADERS, "ETag": file.etag}
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if known & {file.etag, "*"}:
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.media_type)
