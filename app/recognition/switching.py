"""What a request does when its collection goes over to another network while it runs."""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import ParamSpec, TypeVar

from app.errors import CollectionSwitched

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_AGAIN = 3  # there and back in a moment is a rehearsal, or a test


def again_if_switched(work: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Make `work`, which requires its collection itself, begin anew: with the network that it finds then.

    Whoever is overtaken again and again is told so: CollectionSwitched.
    """

    @wraps(work)
    def settled(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        for _ in range(_AGAIN):
            with suppress(CollectionSwitched):
                return work(*args, **kwargs)
        return work(*args, **kwargs)

    return settled
