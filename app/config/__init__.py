"""Settings of the service, read once."""

from app.config.delivery import DeliverySettings
from app.config.groups import (
    CorsSettings,
    InferenceSettings,
    LimitSettings,
    RateSettings,
    TracingSettings,
    WhenAway,
)
from app.config.oidc import OidcSettings
from app.config.settings import PROJECT, Settings, read_settings, shipped, values_of
from app.config.sources import PREFIX, known_names, origins

__all__ = [
    "PREFIX",
    "PROJECT",
    "CorsSettings",
    "DeliverySettings",
    "InferenceSettings",
    "LimitSettings",
    "OidcSettings",
    "RateSettings",
    "Settings",
    "TracingSettings",
    "WhenAway",
    "known_names",
    "origins",
    "read_settings",
    "shipped",
    "values_of",
]
