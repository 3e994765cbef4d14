"""A request as a value, and how its answer is read. Nothing here sends anything."""

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx2

from arcid.photos import Photos, PhotoUrl, as_sequence, bytes_of
from arcid.reading import Value

Answer = TypeVar("Answer")
Read = TypeVar("Read", bound=Value)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; `live` is the response whose body is still to come, where that was asked for."""

    status: int
    headers: httpx2.Headers
    content: bytes
    live: httpx2.Response | None = None

    @property
    def body_to_come(self) -> httpx2.Response:
        """The response whose body is read by whoever asked for that."""
        assert self.live is not None  # noqa: S101 - is_live
        return self.live


@dataclass(frozen=True, slots=True)
class Body:
    """JSON, or a form of `fields` and `files`; without anything no body is sent."""

    json: Mapping[str, Any] | None = None
    fields: Mapping[str, str | list[str]] = field(default_factory=dict)
    files: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """One request.

    `is_repeatable`: after an answer that was lost it may be sent again, with the same effect and the same answer.
    `accepted` are statuses that are answers though they are no success. With `save_to` the body goes to that file,
    with `is_live` it is left to come.
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
    is_live: bool = False

    def after(self, cursor: str | None) -> "Call[Answer] | None":
        """Return the call for the page that begins at a cursor, None without one."""
        return None if cursor is None else replace(self, query={**self.query, "cursor": cursor})


@dataclass(frozen=True, slots=True)
class Pause:
    """A wait, in seconds."""

    seconds: float


Errand = Generator[Call[Any] | Pause, Any, Answer]
"""Work of several calls: yields one after the other, is sent the answer of each, and returns its own."""


def path(template: str, **parts: str) -> str:
    """Return a path with names and ids in it, slashes and dots written so that they stay parts of the id.

    Raises ValueError for one that is empty.
    """
    return template.format(**{name: _segment(name, value) for name, value in parts.items()})


def _segment(name: str, value: str) -> str:
    if not value:
        raise ValueError(f"{name} is empty")
    if value in {".", ".."}:  # else on the way it would mean the folder, or the one above
        return value.replace(".", "%2E")
    return quote(value, safe="")


def query(**values: str | float | None) -> dict[str, str]:
    """Return what a query says; None is not said."""
    return {name: text(value) for name, value in values.items() if value is not None}


def text(value: object) -> str:
    """Return a value as a form or a query says it."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value, allow_nan=False)


def plain(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return members as JSON says them: moments as text, values with a `to_json` by it."""
    return {name: _plain(value) for name, value in members.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.to_json() if hasattr(value, "to_json") else value


def said(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that are not None, as JSON says them."""
    return plain({name: value for name, value in members.items() if value is not None})


def form(members: Mapping[str, Any], files: Sequence[tuple[str, bytes]]) -> Body:
    """Return a form of the members that are not None, and files."""
    return Body(fields={name: text(value) for name, value in said(members).items()}, files=tuple(files))


def with_photos(members: Mapping[str, Any], **photos: Photos | None) -> Body:
    """Return a body with photos, one or several to a name: a form, or JSON when all are named by URL.

    Raises ValueError when one name holds files and URLs, and as `arcid.photos.bytes_of`.
    """
    files: list[tuple[str, bytes]] = []
    named: dict[str, str | list[str]] = {}
    for name, given in photos.items():
        several = () if given is None else as_sequence(given)
        urls = [each.url for each in several if isinstance(each, PhotoUrl)]
        if urls and len(urls) < len(several):
            raise ValueError("send either all photos or all URLs")
        if urls:
            named |= {"photo_urls": urls} if name == "photos" else {f"{name}_url": urls[0]}
        files += [(name, bytes_of(each)) for each in several if not isinstance(each, PhotoUrl)]
    if not files:
        return Body(json={**said(members), **named})
    made = form(members, files)
    return replace(made, fields={**made.fields, **named})


def reading(kind: type[Read]) -> Callable[[Reply], Read]:
    """Return what reads an answer as a value; `etag` comes from the header where the value has it."""

    def read(reply: Reply) -> Read:
        data = json.loads(reply.content)
        if "etag" in reply.headers and isinstance(data, dict):
            data = {**data, "etag": reply.headers["etag"]}
        return kind.from_json(data)

    return read
