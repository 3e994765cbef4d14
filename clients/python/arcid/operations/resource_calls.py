"""Calls that several resources share: one page of a list, and a change."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from arcid.calls import Body, Call, Reply, ValueT, query, to_json_members, value_reader
from arcid.resources import Page


def list_call(path: str, member: str, kind: type[ValueT], /, **parameters: str | int | None) -> Call[Page[ValueT]]:
    """Return the call for one page of a list; `member` of the answer has the items."""
    return Call("GET", path, _read_page(member, kind), query=query(**parameters), is_repeatable=True)


def _read_page(member: str, kind: type[ValueT]) -> Callable[[Reply], Page[ValueT]]:
    def read(reply: Reply) -> Page[ValueT]:
        data = json.loads(reply.content)
        return Page(tuple(kind.from_json(item) for item in data[member]), data["next_cursor"], data.get("total"))

    return read


def patch_call(path: str, kind: type[ValueT], members: Mapping[str, Any], etag: str | None) -> Call[ValueT]:
    """Return the call that changes the given members; with an `etag`, only if the version matches.

    Without an `etag` it may be retried, because the change is idempotent.
    """
    headers = {} if etag is None else {"If-Match": etag}
    body = Body(json=to_json_members(members))
    return Call("PATCH", path, value_reader(kind), headers=headers, body=body, is_repeatable=etag is None)
