"""ETag, If-Match and If-None-Match: change a resource only if it has not changed, send it only if it has."""

import re
from typing import Annotated

from fastapi import Depends, Header, Response

_TAG = re.compile(r'(W/)?"([^"]*)"')


async def _wanted(
    if_match: Annotated[
        str | None,
        Header(
            max_length=2000, description="An `ETag`: change the resource only if it is still this version; else 412."
        ),
    ] = None,
) -> frozenset[str] | None:
    """Return the accepted versions, None for any; weak tags never match (RFC 9110, 13.1.1)."""
    if if_match is None or if_match.strip() == "*":
        return None
    return frozenset(tag for weak, tag in _TAG.findall(if_match) if not weak)


async def _known(
    if_none_match: Annotated[
        str | None,
        Header(max_length=2000, description="An `ETag`: answer 304 without a body if the resource is still this one."),
    ] = None,
) -> str:
    return if_none_match or ""


Versions = Annotated[frozenset[str] | None, Depends(_wanted)]


Known = Annotated[str, Depends(_known)]


def is_known(known: str, version: str) -> bool:
    """Return whether a client has this version already; weak tags match too (RFC 9110, 13.1.2)."""
    return known.strip() == "*" or version in {each for _, each in _TAG.findall(known)}


def tag(response: Response, version: str) -> None:
    """Set the ETag of an answer."""
    response.headers["ETag"] = f'"{version}"'
