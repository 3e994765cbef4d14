"""`arcid serve`."""

import ctypes
import sys
from contextlib import suppress
from typing import Annotated

import typer

from app.api.server import Server, server_of
from app.config import Settings, read_settings
from app.factory.services import Services, is_embedded, open_database, open_services
from app.main import create_app
from app.observability import logs

if sys.platform != "win32":
    import resource

_M_ARENA_MAX = -8  # of mallopt(3)
_OTHER_FILES = 500  # databases, snapshots, photos on their way


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
) -> None:
    """Serve the REST API."""
    use_one_arena()
    settings = read_settings()
    logs.configure(is_json=settings.log_json)
    prepare_database(settings)
    raise_file_limit(settings.limits.connections)
    # Opened here and not by the application: what is wrong then is one line and no traceback.
    server = configured_server(settings, open_services(settings), host=host, port=port)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        raise typer.Exit(1)  # the log has said why


def configured_server(settings: Settings, services: Services | None = None, *, host: str = "", port: int = 0) -> Server:
    """Return the application's server; see `create_app` for `services`. Without an address it is run with sockets."""
    limits = settings.limits
    return server_of(
        create_app(settings, services),
        read_seconds=limits.read_seconds,
        most_connections=limits.connections,
        grace_seconds=limits.grace_seconds,
        host=host,
        port=port,
    )


def raise_file_limit(connections: int) -> None:
    """Let the process have as many open files as it may have connections, and some more, if the system allows that."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def use_one_arena() -> None:
    """Make glibc's malloc keep the memory of all threads in one place; does nothing with another C library.

    With an arena for each thread, every one keeps what its largest photo needed, and resident memory creeps up for
    thousands of requests (benchmarks/stages.py --memory).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def prepare_database(settings: Settings) -> None:
    """Bring the embedded database up to date; another one is only ever changed by `arcid db upgrade`."""
    if is_embedded(settings):
        with open_database(settings) as database:
            database.schema.upgrade()
