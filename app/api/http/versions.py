"""The stable prefix of the API: `/v1/identify` is `/identify`."""

from collections.abc import Collection

VERSION = "/v1"
"""The prefix of all paths; each path without it is an alias."""


def is_versioned(path: str, own: Collection[str]) -> bool:
    """Return whether a path is one of our own paths (`own` has their first parts) below the prefix."""
    first = path.removeprefix(f"{VERSION}/").split("/")[0]
    return path.startswith(f"{VERSION}/") and bool(first) and first in own
