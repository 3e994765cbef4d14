"""Settings in, what fetches photos out."""

from app.config import Settings
from app.errors import SettingsInvalid
from app.remote.fetching import Bounds, Fetcher
from app.remote.urls import Rules


def open_fetcher(settings: Settings) -> Fetcher | None:
    """Return what fetches photos; None where that is switched off. Raises SettingsInvalid."""
    urls = settings.urls
    if not urls.is_enabled:
        return None
    try:
        rules = Rules.parse(urls.hosts, urls.schemes, urls.ports)
    except ValueError as error:
        raise SettingsInvalid(f"ARCID_URLS__HOSTS: {error}") from error
    return Fetcher(rules, Bounds(settings.limits.photo_bytes, urls.seconds, urls.redirects, urls.at_once))
