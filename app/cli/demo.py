"""`arcid demo`: serve the page with sample people, and show photos to try."""

import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Annotated

import httpx2
import typer
from rich.table import Table

from app.api.http.listening import address_of, bind, close
from app.api.http.server import Server
from app.cli.demo_photos import SOURCES, SamplePhoto, as_jpeg, cut_out, group_photo, sample_photos
from app.cli.output import Console, show
from app.cli.serve import configured_server, is_loopback, prepare_database, require_keys, use_one_arena
from app.config import Settings, read_settings
from app.container import Container
from app.errors import AddressUnusable
from app.observability import logs
from app.recognition.decisions.policy import Outcome
from app.recognition.face_choice import FaceChoice
from app.types import Box, Pixels
from app.wiring.resources import DEFAULT_COLLECTION

_USUAL_PORT = 8000
_START_TIMEOUT_S = 120


def settings_in(folder: Path) -> Settings:
    """Return settings for an empty database in a folder, with the installation's networks."""
    return read_settings(data_dir=folder, models_dir=read_settings().models_dir, database_url=None)


def demo(
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Enroll the people in the data folder, so that `arcid serve` has them too.")
    ] = False,
    once: Annotated[
        bool, typer.Option("--once", help="Stop after the table; exit status 1 if anyone was misidentified.")
    ] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port to listen on; default: 8000, or a free one if it is taken."),
    ] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Serve other machines even without API keys.")] = False,
) -> None:
    """Serve the page with six people from a sample photo enrolled, and show three photos to try."""
    use_one_arena()
    logs.configure(is_json=False, level="WARNING" if keep else "ERROR")  # about data that stay
    listeners = _listeners(host, port)
    _say("ArcID demo: it enrolls the six people of a sample photo, looks for them in three other photos, and serves")
    _say("the page. Faces are compared on this machine only.\n")
    with ExitStack() as exits:
        exits.enter_context(_cleaned_up_when_ended())
        exits.callback(close, listeners)
        settings = exits.enter_context(_settings(is_kept=keep))
        prepare_database(settings)
        container = exits.enter_context(Container(settings))
        if not is_loopback(host):
            require_keys(container.keys, host, is_insecure=insecure)
        container.start()
        _run(container, listeners, is_kept=keep, is_once=once)


def _run(container: Container, listeners: list[socket.socket], *, is_kept: bool, is_once: bool) -> None:
    group = group_photo()
    boxes = _enroll(container, group)
    samples = sample_photos(group, boxes)
    folder = container.settings.data_dir / "sample-photos"
    folder.mkdir(exist_ok=True)
    for each in samples:
        (folder / each.name).write_bytes(each.data)
    server = configured_server(container.settings, container, {each.name: each.data for each in samples})
    address = address_of(listeners[0])
    mistakes = _look_up(container, samples, address)
    _say(f"\nThe same photos as files: {folder}\nThey come from {SOURCES}.")
    if not is_kept:
        _say("Nothing of the demo is kept. `arcid demo --keep` keeps the people for `arcid serve`.")
    if is_once:
        with running(server, listeners):
            httpx2.get(address, trust_env=False).raise_for_status()
        raise typer.Exit(1 if mistakes else 0)
    _say(f"\nOpen the page (Ctrl-C ends the demo): {address}")
    with suppress(KeyboardInterrupt):
        server.run(sockets=listeners)


def _enroll(container: Container, group: Pixels) -> list[Box]:
    """Enroll the people of the group photo in a collection that is still new; return their faces from the left."""
    faces = container.examination.examine(as_jpeg(group)).faces
    boxes = sorted(each.face.detection.box for each in faces)
    if container.gallery.collection(DEFAULT_COLLECTION).revision > 0:
        _say("The collection was in use before, so nobody was enrolled.")
        return boxes
    for place, box in enumerate(boxes):
        container.enrollment.enroll(
            [as_jpeg(cut_out(group, box))],
            collection=DEFAULT_COLLECTION,
            identity_id=_identity(place),
            name=f"Person {place + 1}",
            choice=FaceChoice.LARGEST,
        )
    _say(f"{len(boxes)} people are enrolled. Three photos to try:\n")
    return boxes


def _identity(place: int) -> str:
    return f"person-{place + 1}"


def _look_up(container: Container, samples: list[SamplePhoto], address: str) -> int:
    """Identify the people of the samples and print them; return the number of mistakes."""
    table = Table("photo", "shows", "answer", box=None)
    mistakes = 0
    for sample in samples:
        faces = container.identification.identify(sample.data, collection=DEFAULT_COLLECTION, top_k=1).faces
        known = {each.candidates[0].identity_id for each in faces if each.verdict is Outcome.MATCH}
        expected = {_identity(place) for place in sample.people}
        mistakes += len(known ^ expected) + (not faces)
        said = f"{len(known)} of {len(faces)} are known" if len(faces) > 1 else ", ".join(known) or "unknown"
        table.add_row(f"{address}/web/{sample.name}", sample.about, said)
    show(table)
    return mistakes


@contextmanager
def _settings(*, is_kept: bool) -> Iterator[Settings]:
    """Yield the installation's settings, or those of a temporary folder."""
    if is_kept:
        yield read_settings()
        return
    with tempfile.TemporaryDirectory(prefix="arcid-demo-") as folder:
        yield settings_in(Path(folder))


@contextmanager
def _cleaned_up_when_ended() -> Iterator[None]:
    """End with SystemExit on SIGTERM, or if the terminal is closed, so that the demo's folder is deleted."""

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    ends = [signal.SIGTERM]
    if sys.platform != "win32":
        ends.append(signal.SIGHUP)
    before = {number: signal.signal(number, end) for number in ends}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listeners(host: str, port: int | None) -> list[socket.socket]:
    if port is not None:
        return bind(host, port)
    try:
        return bind(host, _USUAL_PORT)
    except AddressUnusable:
        return bind(host, 0)


@contextmanager
def serving(settings: Settings, port: int) -> Iterator[str]:
    """Serve in a thread of this process; yield the address once the service is ready."""
    with socket.create_server(("127.0.0.1", port)) as listener, running(configured_server(settings), [listener]):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def running(server: Server, listeners: list[socket.socket]) -> Iterator[None]:
    """Run a server in a thread of this process, and wait until it is ready."""
    thread = threading.Thread(target=server.run, kwargs={"sockets": listeners}, daemon=True)
    thread.start()
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.05)
    if not server.started:
        raise typer.Exit(1)  # the server's log has the reason
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def _say(text: str) -> None:
    Console().print(text, highlight=False, soft_wrap=True)
