"""The forms that calls on several resources share: a page of a list, a change."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from arcid.calls import Body, Call, Read, Reply, plain, query, reading
from arcid.resources import Page


def page_of(path: str, member: str, kind: type[Read], **asked: str | int | None) -> Call[Page[Read]]:
    """Return the call for a page of a list, whose items are in a member of the answer."""
    return Call("GET", path, _read_page(member, kind), query=query(**asked), is_repeatable=True)


def _read_page(member: str, kind: type[Read]) -> Callable[[Reply], Page[Read]]:
    def read(reply: Reply) -> Page[Read]:
        data = json.loads(reply.content)
        return Page(tuple(kind.from_json(each) for each in data[member]), data["next_cursor"])

    return read


def changed(path: str, kind: type[Read], members: Mapping[str, Any], etag: str | None) -> Call[Read]:
    """Return the call that changes the members that are named; with an `etag` only that version.

    Without one it may be repeated: the same change twice is the same.
    """
    headers = {} if etag is None else {"If-Match": etag}
    body = Body(json=plain(members))
    return Call("PATCH", path, reading(kind), headers=headers, body=body, is_repeatable=etag is None)
