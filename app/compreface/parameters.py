"""Parameters as Spring, the framework of CompreFace, reads them: from the query and from the body.

In the body they are fields of a form or members of a JSON object. The first value counts, the query's before the
body's. Empty values are ignored.
"""

import json
from collections.abc import AsyncIterator, Iterator

from fastapi import Request
from pydantic_core import from_json
from starlette.datastructures import QueryParams

from app.api.http.body import FORM_OR_JSON, form_of, json_text, media_type
from app.api.http.utf8 import require_utf8_form
from app.errors import BodyMalformed, ContentTypeUnsupported, RequestInvalid

_MOST_FILES = 2
_MERGED = "arcid.parameters"
_NAMED = "arcid.parameters.named"
# An empty name is an error, and an empty collection is not the default one.
_NEVER_EMPTY = frozenset({"subject", "collection"})
_LISTS = frozenset({"face_plugins"})


class MergedRequest(Request):
    """Request whose `query_params` include the body's parameters."""

    @property
    def query_params(self) -> QueryParams:
        """Return the parameters of query and body, after `read_parameters` has read them."""
        merged: QueryParams | None = self.scope.get(_MERGED)
        return super().query_params if merged is None else merged


async def read_parameters(request: Request) -> AsyncIterator[None]:
    """Merge the parameters of query and body; runs before every dependency that needs one.

    Raises Overloaded and ShuttingDown before a body is read; BodyMalformed, ContentTypeUnsupported, RequestInvalid.
    """
    given = [*request.query_params.multi_items(), *await _of_body(request)]
    request.scope[_MERGED] = QueryParams(list(_merged(given)))
    request.scope[_NAMED] = frozenset(name for name, _ in given)
    try:
        yield
    finally:
        form = getattr(request.state, "form", None)
        if form is not None:
            await form.close()


def named(request: Request) -> frozenset[str]:
    """Return the names of all sent parameters, also of those without a value."""
    names: frozenset[str] = request.scope[_NAMED]
    return names


def _merged(given: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    values: dict[str, list[str]] = {}
    for name, value in given:
        if value or name in _NEVER_EMPTY:
            values.setdefault(name, []).append(value)
    for name, several in values.items():
        yield name, ",".join(several) if name in _LISTS else several[0]


async def _of_body(request: Request) -> list[tuple[str, str]]:
    """Return the text fields of a form or the members of a JSON object; an empty list if there is no body."""
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return []
    request.app.state.admission.require_room()
    content_type = media_type(request)
    if content_type == "multipart/form-data":
        form = await form_of(request, _MOST_FILES)
        return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    if content_type == "application/x-www-form-urlencoded":
        body = await request.body()
        require_utf8_form(body)
        return QueryParams(body.decode()).multi_items()
    if content_type == "application/json" or content_type.endswith("+json"):
        return _members(await json_text(request), is_list_meant=request.method != "DELETE")
    if await request.body():
        raise ContentTypeUnsupported(f"the body is {content_type or 'of no type'}; {FORM_OR_JSON}")
    return []


def _members(text: bytes, *, is_list_meant: bool) -> list[tuple[str, str]]:
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise BodyMalformed("the body is not valid JSON") from error
    if isinstance(value, dict):
        given = [(name, member) for name, member in value.items() if member is not None]
        return [(name, member if isinstance(member, str) else json.dumps(member)) for name, member in given]
    if is_list_meant:
        return []  # the route's schema validates it
    raise RequestInvalid("the body must be a JSON object")
