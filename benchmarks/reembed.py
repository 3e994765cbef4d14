"""Measure requests while a large gallery migrates to another network, at the switch, and during the rollback.

    python benchmarks/reembed.py --images ../shared/lfw/images --faces 20000 --folder /tmp/reembed

The gallery contains photos of real people, analysed by the real networks (open). Jittered crops give the requested
number of faces, and the service's own store writes them. Then a real `arcid serve` in a separate process migrates the
gallery to arcface-mobilefacenet by POST /collections/{c}/reembed, while clients identify and one enrolls. Prints
requests, failed requests (which must be 0), p50 and p99 before, during and around the switch, whether ids stayed, and
rank-1 of known probes before and after; then the same for the rollback. Exit status 1 if a request failed.

The folder keeps the gallery for the next run.
"""

import argparse
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from reembed_gallery import COLLECTION, TO, BenchSealer, make_gallery, select_photos, settings_of
from reembed_traffic import Traffic, between, print_figures, traffic_to

from app.api.http.listening import bind
from app.cli.serve import configured_server, use_one_arena
from app.container import Container
from app.observability import logs

_AROUND_S = 3.0  # before and after a switch


@contextmanager
def service(folder: Path) -> Iterator[str]:
    """Start `arcid serve` on the gallery in a separate process; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, __file__, "--folder", str(folder), "--serve", str(port)]
    with (folder / "serve.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            with httpx2.Client(base_url=url, timeout=5) as client:
                _wait_ready(client, process)
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _wait_ready(client: httpx2.Client, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 180
    while time.monotonic() < until and process.poll() is None:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise SystemExit("the service did not become ready; see serve.log in the folder")


def serve(folder: Path, port: int) -> None:
    """Run `arcid serve`, with our own sealer if encryption is off."""
    settings = settings_of(folder)
    logs.configure(is_json=False)
    use_one_arena()
    with Container(settings, sealer=BenchSealer()) as container:
        container.start()
        configured_server(settings, container).run(sockets=bind("127.0.0.1", port))


def reembed(client: httpx2.Client) -> dict[str, Any]:
    """Start the job and wait for its end."""
    created = client.post(f"/collections/{COLLECTION}/reembed", json={"model": TO}).raise_for_status().json()
    shown = time.monotonic()
    while True:
        job: dict[str, Any] = client.get(f"/jobs/{created['job_id']}").json()
        if job["finished_at"]:
            return job
        if time.monotonic() - shown > 20:
            shown = time.monotonic()
            print(f"  {job['done']} of {job['total']} faces", flush=True)
        time.sleep(0.2)


def _end_others(client: httpx2.Client) -> None:
    """Cancel the jobs of an interrupted run."""
    while unfinished := [job for job in client.get("/jobs?limit=200").json()["jobs"] if not job["finished_at"]]:
        for job in unfinished:
            client.post(f"/jobs/{job['job_id']}/cancel")
        time.sleep(1)


def ids(folder: Path) -> dict[int, str]:
    """Return the ids of all faces by their keys, from the database."""
    with sqlite3.connect(folder / "data" / "arcid.db") as database:
        return dict(database.execute("SELECT id, face_id || ' of ' || identity_key FROM faces"))


@dataclass(frozen=True, slots=True)
class Timeline:
    """Times of the migration and of the rollback, their results, and the face ids in between."""

    started: float
    migrated: float
    rollback_started: float
    rolled_back: float
    job: dict[str, Any]
    rollback: httpx2.Response
    ids: dict[int, str]


def run(folder: Path, images: Path, *, photos: int, clients: int, pause: float, seconds: float) -> int:
    """Migrate, print, and return the number of failed requests."""
    newcomers = [min(person.iterdir()) for person in sorted(images.iterdir()) if person.is_dir()][-200:]
    before = ids(folder)
    with service(folder) as url, httpx2.Client(base_url=url, timeout=120) as client:
        _end_others(client)
        client.post(f"/collections/{COLLECTION}/reembed/rollback", json={})
        traffic = Traffic(url, select_photos(images, photos), newcomers, pause)
        with traffic_to(traffic, clients):
            timeline = _migrate_and_roll_back(client, folder, seconds)
    _print_phases(traffic, timeline)
    after, kept = ids(folder), timeline.ids
    is_same = all(kept.get(key) == after.get(key) == face for key, face in before.items())
    print(f"ids of {len(before)} faces {'unchanged' if is_same else 'CHANGED'}; {len(after)} faces at the end")
    failed = sum(request.status != 200 for request in [*traffic.identifications, *traffic.enrollments])
    is_done = timeline.job["state"] == "succeeded" and timeline.rollback.status_code == 200
    return failed + (not is_same) + (not is_done)


def _migrate_and_roll_back(client: httpx2.Client, folder: Path, seconds: float) -> Timeline:
    """Migrate and roll back, with pauses of `seconds` before, between and after."""
    time.sleep(seconds)
    started = time.time()
    job = reembed(client)
    migrated = time.time()
    print(f"job: {job['state']}, {job['result'] or job['failure']}, {migrated - started:.0f} s", flush=True)
    time.sleep(seconds)
    kept = ids(folder)
    rollback_started = time.time()
    rollback = client.post(f"/collections/{COLLECTION}/reembed/rollback", json={})
    rolled_back = time.time()
    print(f"rollback: {rollback.status_code} {rollback.text[:200]}, {rolled_back - rollback_started:.2f} s", flush=True)
    time.sleep(seconds)
    return Timeline(started, migrated, rollback_started, rolled_back, job, rollback, kept)


def _print_phases(traffic: Traffic, timeline: Timeline) -> None:
    """Print the figures of all phases, and of each network."""
    requests, enrollments = traffic.identifications, traffic.enrollments
    of_new = [request.started for request in requests if request.model and request.model != requests[0].model]
    switched = min(of_new, default=timeline.migrated)
    switch = (switched - _AROUND_S, switched + _AROUND_S)
    rollback = (timeline.rollback_started - _AROUND_S, timeline.rolled_back + _AROUND_S)
    print_figures("before", between(requests, 0, timeline.started))
    print_figures("during", between(requests, timeline.started, switch[0]))
    print_figures("at the switch", between(requests, *switch))
    print_figures("after", between(requests, switch[1], rollback[0]))
    print_figures("at the rollback", between(requests, *rollback))
    print_figures("after the rollback", between(requests, rollback[1], time.time()))
    print_figures("enrollments", enrollments)
    print_figures("  at the switch", between(enrollments, *switch))
    print_figures("  at the rollback", between(enrollments, *rollback))
    print_figures("all", [*requests, *enrollments])
    for network in sorted({request.model for request in requests} - {""}):
        print_figures(f"  by {network}", [request for request in requests if request.model == network])


def main() -> None:
    """Create the gallery and run the benchmark, or only serve the gallery."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="photos of people: person/photo.jpg")
    parser.add_argument("--folder", type=Path, required=True, help="keeps the gallery")
    parser.add_argument("--faces", type=int, default=20_000)
    parser.add_argument("--photos", type=int, default=1000, help="photos from which the faces are created")
    parser.add_argument("--flip", action="store_true", help="average with mirror images, the default: twice the work")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two requests of a client")
    parser.add_argument("--seconds", type=float, default=30, help="seconds before, between and after the switches")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        serve(options.folder, options.serve)
        return
    logs.configure(is_json=False, level="WARNING")
    make_gallery(
        options.folder, options.images, faces=options.faces, photos=options.photos, is_flip_averaged=options.flip
    )
    failed = run(
        options.folder,
        options.images,
        photos=options.photos,
        clients=options.clients,
        pause=options.pause,
        seconds=options.seconds,
    )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
