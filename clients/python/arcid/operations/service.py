"""Status of the service."""

from http import HTTPStatus

from arcid.calls import Call, value_reader
from arcid.status import Health, Models, Readiness


def healthz() -> Call[Health]:
    """Return the liveness of the process."""
    return Call("GET", "/healthz", value_reader(Health), is_repeatable=True)


def readyz() -> Call[Readiness]:
    """Return the readiness of the service with all checks by name. Not being ready is not an error."""
    not_ready = frozenset({HTTPStatus.SERVICE_UNAVAILABLE.value})
    return Call("GET", "/readyz", value_reader(Readiness), is_repeatable=True, accepted=not_ready)


def models() -> Call[Models]:
    """List the packs with their licence, and whether they are pulled and in use."""
    return Call("GET", "/models", value_reader(Models), is_repeatable=True)
