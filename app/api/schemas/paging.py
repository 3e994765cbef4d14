"""Pages with an opaque cursor: the key that the next page starts after."""

import base64
import binascii
import re
from typing import Annotated

from fastapi import Depends, Query

from app.errors import RequestInvalid

MOST_ON_A_PAGE = 200
_LARGEST_KEY = 2**63 - 1
_WRITTEN = re.compile(rb"after:(0|[1-9][0-9]{0,18})")

Limit = Annotated[int, Query(ge=1, le=MOST_ON_A_PAGE, description="Entries on a page, at most.")]


def cursor_of(key: int | None) -> str | None:
    """Return the cursor of the page that starts after a key."""
    return None if key is None else base64.urlsafe_b64encode(b"after:%d" % key).rstrip(b"=").decode()


async def _after(
    cursor: Annotated[
        str | None, Query(max_length=64, description="`next_cursor` of the previous page; leave it out for the first.")
    ] = None,
) -> int:
    """Return the key of a cursor, 0 without one; raises RequestInvalid if it is not a cursor of this API."""
    if cursor is None:
        return 0
    try:
        written = _WRITTEN.fullmatch(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        written = None
    if written is None or int(written[1]) > _LARGEST_KEY:
        detail = "the cursor does not come from this service"
        raise RequestInvalid.at("query.cursor", detail)
    return int(written[1])


After = Annotated[int, Depends(_after)]
