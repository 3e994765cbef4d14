"""Paths of identities: the id takes the rest of the path, with its slashes; an action may follow it."""

from urllib.parse import unquote_to_bytes

from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

ACTIONS = frozenset({"export", "merge"})
"""Actions on an identity. An id that ends in `/` and an action must be sent with `%2F`."""


class IdentityRoute(APIRoute):
    """Route that distinguishes `.../ada/merge`, an action on `ada`, from the id in `.../ada%2Fmerge`."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match the path as the client sent it."""
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
