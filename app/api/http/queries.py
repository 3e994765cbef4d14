"""Query parameters that a route does not know are refused: a misspelled filter would return everybody."""

from collections.abc import Iterator
from datetime import datetime

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from app.api.http.body import Body
from app.api.http.field_names import meant
from app.api.schemas.wording import summary
from app.errors import RequestInvalid

_LONGEST_SHOWN = 100


async def require_known(request: Request) -> None:
    """Raise RequestInvalid if the query has a parameter that the route does not know."""
    route = request.scope.get("route")
    if not request.query_params or not isinstance(route, APIRoute):
        return
    known = sorted(set(_parameters(route.dependant)))
    in_body = set(_body_fields(route.dependant))
    fields = [
        {"field": f"query.{name[:_LONGEST_SHOWN]}", "detail": _unknown(name, known, in_body)}
        for name in request.query_params
        if name not in known
    ]
    if fields:
        raise RequestInvalid(summary(fields), fields)


def require_order(since: datetime | None, until: datetime | None) -> None:
    """Raise RequestInvalid if a time ends before it starts: its answer would look as if nothing had happened."""
    if since is not None and until is not None and until < since:
        raise RequestInvalid.at("query.until", "until is before since; exchange the two")


def _unknown(name: str, known: list[str], in_body: set[str]) -> str:
    """Return the message for an unknown parameter: the one that is probably meant, and all parameters."""
    if name in in_body:
        return "unknown parameter; send it in the body"
    nearest = meant(name, known)
    hint = f"did you mean {nearest}? " if nearest else ""
    return f"unknown parameter; {hint}" + (f"known are {', '.join(known)}" if known else "this route has none")


def _parameters(dependant: Dependant) -> Iterator[str]:
    """Yield the names of the query parameters of a handler and all its dependencies."""
    for parameter in dependant.query_params:
        kind = parameter.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from (info.alias or name for name, info in kind.model_fields.items())
        else:
            yield parameter.alias
    for each in dependant.dependencies:
        yield from _parameters(each)


def _body_fields(dependant: Dependant) -> Iterator[str]:
    if isinstance(dependant.call, Body):
        yield from dependant.call.schema.model_fields
    for each in dependant.dependencies:
        yield from _body_fields(each)
