"""Settings in, what counts requests out."""

from collections.abc import Callable

from app.access.limiter import Limiter, Redis
from app.config import RateSettings, WhenAway


def open_limiter(settings: RateSettings, was_away: Callable[[], None]) -> Limiter:
    """Return what counts requests, here or in Redis; nothing is connected yet. Raises SettingsInvalid."""
    return Limiter(
        Redis(settings.storage.get_secret_value()) if settings.storage else None,
        is_refused_when_away=settings.when_away is WhenAway.REFUSE,
        was_away=was_away,
    )
