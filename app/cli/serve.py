"""`arcid serve`."""

import ctypes
import sys
from typing import Annotated

import typer
import uvicorn

from app.config import Settings, read_settings
from app.factory.services import is_embedded, open_database, open_services
from app.main import create_app
from app.observability import logs

_M_ARENA_MAX = -8  # of mallopt(3)


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
) -> None:
    """Serve the REST API."""
    use_one_arena()
    settings = read_settings()
    logs.configure(is_json=settings.log_json)
    prepare_database(settings)
    # Opened here and not by the application: what is wrong then is one line and no traceback.
    app = create_app(settings, open_services(settings))
    uvicorn.run(app, host=host, port=port, log_config=None, access_log=False, server_header=False)


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
