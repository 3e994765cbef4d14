"""`arcid demo`: try the service with real photos, on a temporary database."""

import math
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx2
import typer
from rich.console import Console
from rich.table import Table

from app.cli.demo_photos import Version, as_jpeg, cut_out, group_photo, stranger, versions
from app.cli.serve import configured_server, prepare_database
from app.config import Settings, read_settings
from app.observability import logs

_HOST = "127.0.0.1"
_START_TIMEOUT_S = 120


def settings_in(folder: Path) -> Settings:
    """Return settings for an empty database in a folder, with the installation's networks."""
    return read_settings(data_dir=folder, models_dir=read_settings().models_dir, database_url=None)


def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Stop after the table; exit status 1 if anyone was misidentified.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: a free one.")] = 0,
) -> None:
    """Enroll the six people in a real photo, then identify them and a stranger in altered photos."""
    console = Console()
    logs.configure(is_json=False, level="WARNING")
    with tempfile.TemporaryDirectory(prefix="arcid-demo-") as folder:
        settings = settings_in(Path(folder))
        prepare_database(settings)
        # Ignore proxy settings in the environment: the service runs on this machine.
        with serving(settings, port) as address, httpx2.Client(base_url=address, timeout=60, trust_env=False) as client:
            mistakes = _tour(client, console)
            console.print(f"Interactive API documentation: {address}/docs", highlight=False)
            if once:
                raise typer.Exit(1 if mistakes else 0)
            console.print("Serving until Ctrl-C ...")
            with _quiet_interrupt():
                threading.Event().wait()


def _tour(client: httpx2.Client, console: Console) -> int:
    """Enroll, identify and print; return the number of mistakes."""
    photo = group_photo()
    people = sorted(_identify(client, as_jpeg(photo)), key=lambda face: face["box"][0])
    boxes = {f"person-{number}": tuple(face["box"]) for number, face in enumerate(people, start=1)}
    for identity, box in boxes.items():
        files = {"photos": as_jpeg(cut_out(photo, box))}
        data = {"identity_id": identity, "name": identity.replace("-", " ").title(), "face": "largest"}
        client.post("/enroll", files=files, data=data).raise_for_status()
    console.print(f"Enrolled {len(boxes)} people from one photo. Similarity of each, in changed versions of it:\n")

    table = Table("photo", *boxes, box=None)
    mistakes = 0
    for version in versions(photo):
        cells = _row(version, boxes, _identify(client, as_jpeg(version.pixels, version.jpeg_quality)))
        mistakes += sum(cell.startswith("[red]") for cell in cells)
        table.add_row(version.title, *cells)
    unknown = _identify(client, as_jpeg(stranger()))
    is_recognised = [face for face in unknown if face["verdict"] == "match"]
    mistakes += len(is_recognised) + (not unknown)
    console.print(table)
    nearest = unknown[0]["candidates"][0]["similarity"] if unknown else math.nan
    verdict = "[red]recognised[/red]" if is_recognised else f"unknown, as it should be (nearest: {nearest:.2f})"
    console.print(f"\nA stranger: {verdict}\n{mistakes} mistakes.")
    return mistakes


def _identify(client: httpx2.Client, photo: bytes) -> list[dict[str, Any]]:
    answer = client.post("/identify", files={"photo": photo}).raise_for_status()
    faces: list[dict[str, Any]] = answer.json()["faces"]
    return faces


def _row(version: Version, boxes: dict[str, Any], faces: list[dict[str, Any]]) -> list[str]:
    """Return each person's similarity, or the mistake in red."""
    cells = []
    for identity, box in boxes.items():
        x, y = version.centre_of(box)
        here = [face for face in faces if face["box"][0] < x < face["box"][2] and face["box"][1] < y < face["box"][3]]
        if not here:
            cells.append("[red]not found[/red]")
        elif here[0]["verdict"] != "match":
            cells.append("[red]unknown[/red]")
        elif here[0]["candidates"][0]["identity_id"] != identity:
            cells.append(f"[red]{here[0]['candidates'][0]['identity_id']}[/red]")
        else:
            cells.append(f"{here[0]['candidates'][0]['similarity']:.2f}")
    return cells


@contextmanager
def serving(settings: Settings, port: int) -> Iterator[str]:
    """Serve in a thread of this process; yield the address once the service is ready."""
    with socket.create_server((_HOST, port)) as listener:
        server = configured_server(settings)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not server.started and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        if not server.started:
            raise typer.Exit(1)  # the server's log has the reason
        try:
            yield f"http://{_HOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def _quiet_interrupt() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        return
