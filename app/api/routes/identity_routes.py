"""A person's id takes the rest of a path, slashes and all; what may be done with a person follows it."""

from urllib.parse import unquote_to_bytes

from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

ACTIONS = frozenset({"export", "merge"})
"""Last words of paths below a person. An id that ends in one must have its slash written as `%2F`."""


class IdentityRoute(APIRoute):
    """Tells `.../ada/merge`, which is done with `ada`, from `.../ada%2Fmerge`, which is somebody's id."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match a path, given as it was sent."""
        match, child_scope = super().matches(scope)
        if match is Match.NONE or "identity_id" not in child_scope["path_params"]:
            return match, child_scope
        last = unquote_to_bytes(scope["raw_path"].rpartition(b"/")[2]).decode(errors="replace")
        of_route = self.path_format.rpartition("/")[2]
        if of_route in ACTIONS:
            is_meant = last == of_route
        else:
            is_meant = last not in ACTIONS or "/" not in child_scope["path_params"]["identity_id"]
        return (match, child_scope) if is_meant else (Match.NONE, {})
