"""Requests as values, with the functions that read their answers. This module does not send anything."""

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx2

from arcid.parsing import Value
from arcid.photos import Photos, PhotoUrl, as_sequence, bytes_of

Answer = TypeVar("Answer")
ValueT = TypeVar("ValueT", bound=Value)


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply. For a streamed call, `stream` is the response with its body still unread."""

    status: int
    headers: httpx2.Headers
    content: bytes
    stream: httpx2.Response | None = None

    @property
    def open_stream(self) -> httpx2.Response:
        """The response of a streamed call; the caller reads and closes it."""
        assert self.stream is not None  # noqa: S101 - only for streamed calls
        return self.stream


@dataclass(frozen=True, slots=True)
class Body:
    """A request body: JSON, or a form of `fields` and `files`, or `content` as it is, or nothing."""

    json: Mapping[str, Any] | None = None
    fields: Mapping[str, str | list[str]] = field(default_factory=dict)
    files: tuple[tuple[str, bytes], ...] = ()
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """One request.

    If `is_repeatable`, the request may be sent again after its answer was lost, with the same effect and answer.
    `accepted` contains error statuses that count as answers. With `save_to`, the body is written to that file; if
    `is_streamed`, the caller reads it.
    """

    method: str
    path: str
    read: Callable[[Reply], Answer]
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body = field(default_factory=Body)
    is_repeatable: bool = False
    accepted: frozenset[int] = frozenset()
    save_to: Path | None = None
    is_streamed: bool = False

    def after(self, cursor: str | None) -> "Call[Answer] | None":
        """Return the call for the page at a cursor; None if there is no cursor."""
        return None if cursor is None else replace(self, query={**self.query, "cursor": cursor})


@dataclass(frozen=True, slots=True)
class Pause:
    """A wait, in seconds."""

    seconds: float


Workflow = Generator[Call[Any] | Pause, Any, Answer]
"""Generator that yields calls and pauses, receives the answer of each, and returns its own answer."""


def path(template: str, **parts: str) -> str:
    """Fill names and ids into a path; slashes and dots in them are encoded.

    Raises ValueError if a name or id is empty.
    """
    return template.format(**{name: _segment(name, value) for name, value in parts.items()})


def _segment(name: str, value: str) -> str:
    if not value:
        raise ValueError(f"{name} must not be empty")
    if value in {".", ".."}:  # unencoded, it would mean the current or the parent folder
        return value.replace(".", "%2E")
    return quote(value, safe="")


def query(**values: str | float | None) -> dict[str, str]:
    """Return the query parameters that are not None, as text."""
    return {name: text(value) for name, value in values.items() if value is not None}


def text(value: object) -> str:
    """Return a value as text for a form or a query."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value, allow_nan=False)


def to_json_members(members: Mapping[str, Any]) -> dict[str, Any]:
    """Convert members to JSON: times to text, and objects with their `to_json` method."""
    return {name: _plain(value) for name, value in members.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.to_json() if hasattr(value, "to_json") else value


def without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that are not None, converted to JSON."""
    return to_json_members({name: value for name, value in members.items() if value is not None})


def form(members: Mapping[str, Any], files: Sequence[tuple[str, bytes]]) -> Body:
    """Return a form with the files and the members that are not None."""
    return Body(fields={name: text(value) for name, value in without_none(members).items()}, files=tuple(files))


def photo_body(members: Mapping[str, Any], **photos: Photos | None) -> Body:
    """Return a body with photos, one or more for each name: JSON if all photos are URLs, otherwise a form.

    Raises ValueError if a name has both files and URLs, and the errors of `arcid.photos.bytes_of`.
    """
    files: list[tuple[str, bytes]] = []
    urls_by_name: dict[str, str | list[str]] = {}
    for name, value in photos.items():
        sequence = () if value is None else as_sequence(value)
        urls = [photo.url for photo in sequence if isinstance(photo, PhotoUrl)]
        if urls and len(urls) < len(sequence):
            raise ValueError("send either files or URLs, not both")
        if urls:
            if name == "photos":
                urls_by_name["photo_urls"] = urls
            else:
                urls_by_name[f"{name}_url"] = urls if len(urls) > 1 else urls[0]
        files += [(name, bytes_of(photo)) for photo in sequence if not isinstance(photo, PhotoUrl)]
    if not files:
        return Body(json={**without_none(members), **urls_by_name})
    body = form(members, files)
    return replace(body, fields={**body.fields, **urls_by_name})


def value_reader(kind: type[ValueT]) -> Callable[[Reply], ValueT]:
    """Return a function that reads an answer as a value; its `etag`, if it has one, is taken from the header."""

    def read(reply: Reply) -> ValueT:
        data = json.loads(reply.content)
        if "etag" in reply.headers and isinstance(data, dict):
            data = {**data, "etag": reply.headers["etag"]}
        return kind.from_json(data)

    return read
