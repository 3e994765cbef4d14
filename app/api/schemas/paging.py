"""Pages: an opaque cursor for the key after which the next page begins."""

import base64
import binascii
import re
from typing import Annotated

from fastapi import Depends, Query

from app.errors import RequestInvalid

MOST_ON_A_PAGE = 200
_LARGEST_KEY = 2**63 - 1
_WRITTEN = re.compile(rb"after:(0|[1-9][0-9]{0,18})")

Limit = Annotated[int, Query(ge=1, le=MOST_ON_A_PAGE, description="Most entries of a page.")]


def cursor_of(key: int | None) -> str | None:
    """Return the cursor of the page that begins after a key."""
    return None if key is None else base64.urlsafe_b64encode(b"after:%d" % key).rstrip(b"=").decode()


async def _after(
    cursor: Annotated[
        str | None, Query(max_length=64, description="`next_cursor` of the page before; none for the first.")
    ] = None,
) -> int:
    """Return the key that a cursor stands for, 0 without; raises RequestInvalid."""
    if cursor is None:
        return 0
    try:
        written = _WRITTEN.fullmatch(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        written = None
    if written is None or int(written[1]) > _LARGEST_KEY:
        detail = "the cursor is not one that this service gave"
        raise RequestInvalid.at("query.cursor", detail)
    return int(written[1])


After = Annotated[int, Depends(_after)]
