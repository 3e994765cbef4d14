"""Clients of other services, by the settings: Redis, hosts of photos, an OpenID provider, a collector of traces."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from app import __version__
from app.access.limiter import Limiter, Redis
from app.access.oidc.grants import Grant
from app.access.oidc.sign_in import SignInRules, SignInService
from app.access.sessions import SessionStore
from app.config import OidcSettings, RateSettings, Settings, WhenAway
from app.errors import SettingsInvalid, TracingUnavailable
from app.remote.fetching import Fetcher, FetchLimits
from app.remote.openid_provider import Client, OpenIdProvider
from app.remote.urls import UrlRules

if TYPE_CHECKING:
    from app.observability.tracing import Tracing


def open_limiter(settings: RateSettings, was_away: Callable[[], None]) -> Limiter:
    """Return the limiter of requests, which counts here or in Redis, without connecting.

    `was_away` is called for each request that Redis could not count. Raises SettingsInvalid if the URL of Redis is not
    valid, or if the extra `redis` is not installed.
    """
    return Limiter(
        Redis(settings.storage.get_secret_value()) if settings.storage else None,
        is_refused_when_away=settings.when_away is WhenAway.REFUSE,
        was_away=was_away,
    )


def open_fetcher(settings: Settings) -> Fetcher | None:
    """Return the fetcher of photos by URL; None if the settings switch it off.

    Raises SettingsInvalid if a host is not valid.
    """
    urls = settings.urls
    if not urls.is_enabled:
        return None
    try:
        rules = UrlRules.parse(urls.hosts, urls.schemes, urls.ports)
    except ValueError as error:
        raise SettingsInvalid(f"ARCID_URLS__HOSTS: {error}") from error
    return Fetcher(rules, FetchLimits(settings.limits.photo_bytes, urls.seconds, urls.redirects, urls.at_once))


def open_sign_in(settings: OidcSettings, sessions: SessionStore) -> SignInService | None:
    """Return the sign-in with an OpenID provider, without connecting; None if the settings name no provider.

    Raises SettingsInvalid if nobody could sign in.
    """
    if settings.issuer is None:
        return None
    if not settings.grants:
        raise SettingsInvalid("ARCID_OIDC__GRANTS is empty, so nobody could sign in: name a group and its scopes")
    secret = settings.client_secret
    client = Client(settings.client_id, secret.get_secret_value() if secret else None, settings.scopes)
    grants = [
        Grant(group, frozenset(each.scopes), None if each.collections is None else frozenset(each.collections))
        for group, each in settings.grants.items()
    ]
    rules = SignInRules(settings.claim, grants, timedelta(hours=settings.session_hours))
    return SignInService(OpenIdProvider(settings.issuer, client), rules, sessions)


def open_tracing(settings: Settings) -> "Tracing | None":
    """Start to trace if the settings name a collector; raises TracingUnavailable if OpenTelemetry is not installed."""
    wanted = settings.tracing
    if wanted.endpoint is None:
        return None
    require_tracing(settings)
    from app.observability.tracing import Tracing  # noqa: PLC0415 - an extra

    return Tracing(wanted.endpoint, ratio=wanted.ratio, service=wanted.service_name, version=__version__)


def require_tracing(settings: Settings) -> None:
    """Raise TracingUnavailable if the settings name a collector and OpenTelemetry is not installed."""
    if settings.tracing.endpoint is None:
        return
    try:
        import app.observability.tracing  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise TracingUnavailable(
            "ARCID_TRACING__ENDPOINT needs OpenTelemetry, which is not installed: install arcid with the extra "
            "'tracing', or remove the setting"
        ) from error
