"""How the service stands."""

from http import HTTPStatus

from arcid.calls import Call, reading
from arcid.status import Health, Models, Readiness


def healthz() -> Call[Health]:
    """Say that the process is up."""
    return Call("GET", "/healthz", reading(Health), is_repeatable=True)


def readyz() -> Call[Readiness]:
    """Say whether the service is ready, each check by name; one that is not is an answer, no error."""
    not_ready = frozenset({HTTPStatus.SERVICE_UNAVAILABLE.value})
    return Call("GET", "/readyz", reading(Readiness), is_repeatable=True, accepted=not_ready)


def models() -> Call[Models]:
    """List the packs: licence, whether they are here, which are in use."""
    return Call("GET", "/models", reading(Models), is_repeatable=True)
