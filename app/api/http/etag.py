"""ETag and If-Match: a change that is made only if nobody else has made one since."""

import re
from typing import Annotated

from fastapi import Depends, Header, Response

_TAG = re.compile(r'(W/)?"([^"]*)"')


async def _wanted(
    if_match: Annotated[
        str | None, Header(max_length=2000, description="An `ETag`: changed only if it is still that; else 412.")
    ] = None,
) -> frozenset[str] | None:
    """Return the versions of which one must be there, None where any will do; weak tags are none (RFC 9110, 13.1.1)."""
    if if_match is None or if_match.strip() == "*":
        return None
    return frozenset(tag for weak, tag in _TAG.findall(if_match) if not weak)


Versions = Annotated[frozenset[str] | None, Depends(_wanted)]


def tag(response: Response, version: str) -> None:
    """Say which version an answer shows."""
    response.headers["ETag"] = f'"{version}"'
