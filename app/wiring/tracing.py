"""Settings in, tracing out."""

from typing import TYPE_CHECKING

from app import __version__
from app.config import Settings
from app.errors import TracingUnavailable

if TYPE_CHECKING:
    from app.observability.tracing import Tracing


def open_tracing(settings: Settings) -> "Tracing | None":
    """Begin to trace, where a collector is named; raises TracingUnavailable when that is not installed."""
    wanted = settings.tracing
    if wanted.endpoint is None:
        return None
    require_tracing(settings)
    from app.observability.tracing import Tracing  # noqa: PLC0415 - an extra

    return Tracing(wanted.endpoint, ratio=wanted.ratio, service=wanted.service_name, version=__version__)


def require_tracing(settings: Settings) -> None:
    """Raise TracingUnavailable when traces are asked for and OpenTelemetry is not installed."""
    if settings.tracing.endpoint is None:
        return
    try:
        import app.observability.tracing  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise TracingUnavailable(
            "ARCID_TRACING__ENDPOINT needs OpenTelemetry, which is not installed: install arcid with the extra "
            "'tracing', or remove the setting"
        ) from error
