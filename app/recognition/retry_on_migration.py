"""Retries of a request whose collection changes while it runs: to another network, or other settings."""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import ParamSpec, TypeVar

from app.errors import CollectionSwitched

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_RETRIES = 3  # more switches during one request happen only in rehearsals and tests


def retry_on_migration(work: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Decorator: retry if the collection changes mid-request. `work` must load its collection itself.

    After three retries CollectionSwitched propagates.
    """

    @wraps(work)
    def settled(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        for _ in range(_RETRIES):
            with suppress(CollectionSwitched):
                return work(*args, **kwargs)
        return work(*args, **kwargs)

    return settled
