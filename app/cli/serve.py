"""`arcid serve`."""

import ctypes
import ipaddress
import logging
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from typing import Annotated

import typer

from app.access.key_store import KeyStore
from app.api.http.listening import bind, close
from app.api.http.server import Server, server_of
from app.cli.data_folder import prepare_data_folder
from app.config import Settings, read_settings
from app.container import Container
from app.errors import ArcidError, KeysRequired
from app.main import NO_SAMPLES, create_app
from app.observability import logs, stderr
from app.observability.logs import get_logger
from app.wiring.clients import require_tracing
from app.wiring.heap import HeapTrimmer
from app.wiring.storage import create_own_key, is_embedded

_log = get_logger(__name__)
_M_ARENA_MAX = -8  # of mallopt(3)
_OTHER_FILES = 500  # databases, snapshots, uploads


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    *,
    insecure: Annotated[bool, typer.Option("--insecure", help="Serve other machines even without API keys.")] = False,
) -> None:
    """Serve the REST API."""
    use_one_arena()
    settings = read_settings()
    logs.configure(is_json=settings.log_json, stream=stderr.redirect_to_log() if settings.log_json else None)
    try:
        _serve(settings, host, port, is_insecure=insecure)
    except ArcidError as error:
        if not settings.log_json:
            raise
        _log.critical("serve.failed", code=error.code, error=str(error), reason=error.reason)
        raise typer.Exit(1) from error


def _serve(settings: Settings, host: str, port: int, *, is_insecure: bool) -> None:
    require_tracing(settings)
    listeners = bind(host, port)
    with ExitStack() as exits:
        exits.callback(close, listeners)
        prepare_database(settings)
        raise_file_limit(settings.limits.connections)
        container = exits.enter_context(Container(settings))
        if container.sign_in is None:
            require_keys(container.keys, host, is_insecure=is_insecure)
        else:
            _log.info("access.sign_in", issuer=settings.oidc.issuer)
        container.start()  # not by the application: an error is then one line without a traceback
        trimmer = HeapTrimmer()
        trimmer.start()
        exits.callback(trimmer.stop)
        server = configured_server(settings, container)
        with suppress(KeyboardInterrupt):
            server.run(sockets=listeners)
    if not server.started:
        raise typer.Exit(1)  # the log has the reason


def configured_server(
    settings: Settings, container: Container | None = None, samples: Mapping[str, bytes] = NO_SAMPLES
) -> Server:
    """Return the application's server, to be run with sockets; see `create_app` for `container` and `samples`."""
    limits = settings.limits
    return server_of(
        create_app(settings, container, samples),
        read_seconds=limits.read_seconds,
        most_connections=limits.connections,
        grace_seconds=limits.grace_seconds,
    )


def raise_file_limit(connections: int) -> None:
    """Raise the limit of open files above the maximum number of connections, if permitted."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def require_keys(store: KeyStore, host: str, *, is_insecure: bool) -> None:
    """Log who can reach the service; raises KeysRequired if other machines could call it without keys."""
    keys = store.all()
    if keys:
        now = datetime.now(UTC)
        active = sum(each.state(now) == "active" for each in keys)
        _log.log(logging.INFO if active else logging.WARNING, "access.keys_required", active=active, all=len(keys))
    elif is_loopback(host):
        _log.warning("access.open", to="this machine", hint="arcid keys create")
    elif is_insecure:
        _log.warning("access.open", to="every machine that reaches this one", hint="arcid keys create")
    else:
        raise KeysRequired(
            f"there are no API keys, so only this machine may be served, not {host or 'every address'}; create one: "
            "arcid keys create NAME --scope admin (or use --insecure)"
        )


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address or name. An unresolvable name counts as reachable."""
    try:
        found = {str(each[4][0]) for each in socket.getaddrinfo(host or "0.0.0.0", None)}  # noqa: S104 - as uvicorn takes it
    except OSError:
        return False
    return all(ipaddress.ip_address(each.partition("%")[0]).is_loopback for each in found)


def use_one_arena() -> None:
    """Limit glibc's malloc to one arena for all threads; does nothing with another C library.

    With one arena per thread, each arena keeps the memory that its largest photo needed, and resident memory grows
    over thousands of requests (benchmarks/stages.py --memory).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def prepare_database(settings: Settings) -> None:
    """Make the data folder private, and create or upgrade the embedded database, with a master key for a new one.

    Another database is only ever changed by `arcid db upgrade`.
    """
    prepare_data_folder(settings)
    if is_embedded(settings):
        create_own_key(settings)
        with Container(settings) as container:
            container.database.occupy()  # no restore may replace the file while its schema changes
            container.database.schema.upgrade()
