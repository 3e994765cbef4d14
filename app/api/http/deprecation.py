"""Deprecated names in requests: the answer has the header `Deprecation` (RFC 9745)."""

from collections.abc import MutableMapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import MutableHeaders

from app.observability.logs import get_logger

_log = get_logger(__name__)
_SINCE = datetime(2026, 11, 28, tzinfo=UTC)
"""The day from which the names in `app.names.FORMER_NAMES` are deprecated."""
_NOTE = "arcid.deprecated"


def deprecate(scope: MutableMapping[str, Any], names: Sequence[str]) -> None:
    """Note the deprecated names in a request, and log them: the operator can find the programs that use them."""
    if names:
        scope[_NOTE] = True
        _log.info("request.deprecated", names=sorted(names))


def announce(scope: MutableMapping[str, Any], headers: MutableHeaders) -> None:
    """Add the header to the answer of a request with deprecated names."""
    if _NOTE in scope:
        headers["Deprecation"] = f"@{int(_SINCE.timestamp())}"
