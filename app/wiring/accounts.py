"""Callers of a process: API keys, sessions and sign-in."""

from functools import cached_property

from app.access.key_cache import Access
from app.access.key_service import KeyService
from app.access.oidc.sign_in import SignInService
from app.wiring.clients import open_sign_in
from app.wiring.counting import Counting


class Accounts(Counting):
    """Resources of a process that knows its callers."""

    @cached_property
    def access(self) -> Access:
        """API keys and sessions, as requests present them."""
        return Access(self.keys, sessions=None if self.sign_in is None else self.sessions)

    @cached_property
    def sign_in(self) -> SignInService | None:
        """Sign-in with an OpenID provider; None if the settings name none."""
        return open_sign_in(self.settings.oidc, self.sessions)

    @cached_property
    def key_service(self) -> KeyService:
        """API keys, as callers manage them."""
        return KeyService(self.keys, self.access)
