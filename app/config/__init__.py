"""Settings of the service, read once from the environment."""

from app.config.groups import CorsSettings, InferenceSettings, LimitSettings, RateSettings, TracingSettings, WhenAway
from app.config.settings import PREFIX, PROJECT, Settings, known_names, read_settings, shipped

__all__ = [
    "PREFIX",
    "PROJECT",
    "CorsSettings",
    "InferenceSettings",
    "LimitSettings",
    "RateSettings",
    "Settings",
    "TracingSettings",
    "WhenAway",
    "known_names",
    "read_settings",
    "shipped",
]
