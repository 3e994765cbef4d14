"""API keys, their scopes, rates and quotas; the audit trail."""

from app.errors.base import ArcidError


class KeyMissing(ArcidError):
    """The service has API keys, and the request carries none."""


class KeyInvalid(ArcidError):
    """The API key is unknown, expired or revoked."""


class ScopeMissing(ArcidError):
    """The API key lacks the scope that this needs."""


class CollectionForbidden(ArcidError):
    """The API key is restricted to other collections."""


class HostForbidden(ArcidError):
    """The service has no API keys, and the request names a host other than this machine."""


class OriginForbidden(ArcidError):
    """The request comes from a web page of another site, which may not call this service."""


class WhereForbidden(ArcidError):
    """The API key may not filter by this metadata member."""


class LivenessForbidden(ArcidError):
    """The API key may not ask for a weaker check of liveness than the collection's."""


class KeyExists(ArcidError):
    """A key of this name already exists."""


class KeyUnknown(ArcidError):
    """There is no key of this name or id to revoke."""


class GrantForbidden(ArcidError):
    """The API key may not create a key that is allowed more than itself."""


class FirstKeyForbidden(ArcidError):
    """The first key can be created by a request only from this machine."""


class LastAdminKey(ArcidError):
    """No other active key has scope `admin` for all collections, so this one cannot be revoked by a request."""


class KeysRequired(ArcidError):
    """The service would listen to other machines without requiring keys."""


class RateExceeded(ArcidError):
    """The rate limit is used up; the next request is served `retry_after_s` seconds later."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QuotaExceeded(RateExceeded):
    """The API key's quota is used up; the next request is served `retry_after_s` seconds later."""


class RatesUnavailable(ArcidError):
    """The shared request counter does not answer, and uncounted requests are not served."""


class TrailBroken(ArcidError):
    """The audit trail differs from the one that was written."""


class SignInDisabled(ArcidError):
    """People cannot sign in with an OpenID provider, because the settings name none."""


class SignInRefused(ArcidError):
    """The OpenID provider's answer does not allow this person to use the service."""


class OpenIdUnavailable(ArcidError):
    """The OpenID provider does not answer as OpenID Connect requires."""


class SessionUnknown(ArcidError):
    """No session has this id."""
