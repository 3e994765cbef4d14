"""ETag and If-Match: a change is made only if the resource has not changed since it was read."""

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


Versions = Annotated[frozenset[str] | None, Depends(_wanted)]


def tag(response: Response, version: str) -> None:
    """Set the ETag of an answer."""
    response.headers["ETag"] = f'"{version}"'
