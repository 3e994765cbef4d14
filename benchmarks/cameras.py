"""The cost of cameras: latency of /identify with and without them, and memory over simulated hours.

Usage: .venv/bin/python benchmarks/cameras.py FOLDER [--cameras 8] [--fps 5] [--seconds 20] [--hours 1] [--part NAME]

FOLDER contains photos of faces at any depth; half of the people are enrolled. Part `latency` starts a service, and
sends photos to /identify in turns without and with cameras. Part `memory` searches the frames of all cameras in this
process, by a clock that is faster than real time: each camera sees a person every two minutes.
"""

import argparse
import ctypes
import gc
import http.client
import json
import random
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from camera_streams import HOST, Stream, cameras, visit
from service import Client, Service, form, running

from app.cli.serve import prepare_database, use_one_arena
from app.config import read_settings
from app.container import Container
from app.gallery.store.camera_values import CameraKind, CameraSetup
from app.vision.imaging.decode import Image
from app.watch.decoding import DecodingOptions
from app.watch.frames import CameraFrame
from app.watch.sources import operators_source

VISIT_S = 8.0
BETWEEN_VISITS = timedelta(minutes=2)
_TURNS = 2
_PAUSE_S = 0.05  # of a client between two photos
_SAMPLES = 12  # of memory


def main() -> None:
    """Run the parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--fps", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20, help="of each turn of `latency`")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--hours", type=float, default=1, help="simulated by `memory`")
    parser.add_argument("--part", choices=("latency", "memory"))
    options = parser.parse_args()
    photos = random.Random(1).sample(sorted(options.folder.rglob("*.jpg")), 2 * options.cameras)
    streams = [
        visit(photo, seconds=VISIT_S, fps=options.fps, seed=seed)
        for seed, photo in enumerate(photos[: options.cameras])
    ]
    known = photos[: options.cameras : 2]
    if options.part != "memory":
        latency(streams, known, photos, seconds=options.seconds, clients=options.clients)
    if options.part != "latency":
        memory(streams, known, hours=options.hours)


# Latency


def latency(
    streams: Sequence[Stream], known: Sequence[Path], photos: Sequence[Path], *, seconds: float, clients: int
) -> None:
    """Print quantiles of /identify without and with cameras, measured in turns, and their ratios."""
    without, with_ = list[float](), list[float]()
    settings = {"ARCID_CAMERAS__HOSTS": HOST, "ARCID_ENCRYPTION__OWN_KEY": "false"}
    with running(settings) as service, cameras(streams) as urls:
        for number, photo in enumerate(known):
            Client(service.port).post("/enroll", form(photo.read_bytes(), "photos", identity_id=str(number)))
        _times(service, photos, seconds=2, clients=clients)
        watched = dict[str, int]()
        for _ in range(_TURNS):
            without += _times(service, photos, seconds=seconds, clients=clients)
            _add(service, urls, streams[0].fps)
            before = _counts(service)
            with_ += _times(service, photos, seconds=seconds, clients=clients)
            for name, count in _counts(service).items():
                watched[name] = watched.get(name, 0) + count - before[name]
            for number in range(len(urls)):
                _call(service, "DELETE", f"/cameras/camera{number}")
    for name, times in (("without", without), ("with", with_)):
        p50, p99 = np.quantile(times, (0.5, 0.99)) * 1000
        print(f"{name:>8} cameras: {len(times)} photos, p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    ratios = [np.quantile(with_, each) / np.quantile(without, each) for each in (0.5, 0.99)]
    print(f"ratio with / without: p50 {ratios[0]:.2f}, p99 {ratios[1]:.2f} (goal for p99: at most 2)")
    sent = len(urls) * streams[0].fps * seconds * _TURNS
    shares = ", ".join(f"{name} {count / sent:.0%}" for name, count in watched.items())
    print(f"frames of {len(urls)} cameras at {streams[0].fps} fps: {shares}")


def _times(service: Service, photos: Sequence[Path], *, seconds: float, clients: int) -> list[float]:
    """Return the seconds of each request."""
    bodies = [form(each.read_bytes()) for each in photos]
    end, times = time.monotonic() + seconds, list[float]()

    def run(first: int) -> None:
        client, number = Client(service.port), first
        while time.monotonic() < end:
            started = time.perf_counter()
            client.post("/identify", bodies[number % len(bodies)])
            times.append(time.perf_counter() - started)
            number += 1
            time.sleep(_PAUSE_S)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def _add(service: Service, urls: Sequence[str], fps: int) -> None:
    """Add the cameras, and wait until all are connected."""
    for number, url in enumerate(urls):
        camera = {"camera_id": f"camera{number}", "collection": "default", "url": url, "fps": fps}
        _call(service, "POST", "/cameras", camera)
    end = time.monotonic() + 60
    while {each["status"]["state"] for each in _cameras(service)} != {"connected"}:
        if time.monotonic() > end:
            raise SystemExit("the cameras are not connected")
        time.sleep(0.5)


def _cameras(service: Service) -> list[dict[str, dict[str, str]]]:
    found: list[dict[str, dict[str, str]]] = json.loads(_call(service, "GET", "/cameras"))["cameras"]
    return found


def _counts(service: Service) -> dict[str, int]:
    """Return the frames that were searched and dropped so far."""
    lines = _call(service, "GET", "/metrics").decode().splitlines()
    names = {"searched": "arcid_camera_frames_total{", "dropped": "arcid_camera_frames_dropped_total{"}
    return {
        name: int(sum(float(line.split()[-1]) for line in lines if line.startswith(prefix)))
        for name, prefix in names.items()
    }


def _call(service: Service, method: str, path: str, body: object = None) -> bytes:
    connection = http.client.HTTPConnection(HOST, service.port, timeout=60)
    sent = None if body is None else json.dumps(body)
    connection.request(method, path, sent, {"Content-Type": "application/json"} if sent else {})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    if answer.status >= 300:
        raise SystemExit(f"{method} {path} answered {answer.status}: {data.decode()}")
    return data


# Memory


def memory(streams: Sequence[Stream], known: Sequence[Path], *, hours: float) -> None:
    """Print the resident memory over simulated hours, and its growth after the first sixth."""
    use_one_arena()
    with tempfile.TemporaryDirectory(prefix="arcid-bench-") as folder:
        settings = read_settings(data_dir=Path(folder), models_dir=read_settings().models_dir)
        prepare_database(settings)
        files = [Path(folder) / f"{number}.ts" for number in range(len(streams))]
        for file, stream in zip(files, streams, strict=True):
            file.write_bytes(stream.content)
        with Container(settings) as container:
            container.gallery.ensure("default", container.collection_settings)
            container.gallery.open()
            for number, photo in enumerate(known):
                container.enrollment.enroll([photo.read_bytes()], collection="default", identity_id=str(number))
            started = time.process_time()
            samples = list(_watched(container, files, streams[0].fps, hours=hours))
            cpu = time.process_time() - started
    hours_of, sizes = np.array(samples).T
    settled = hours_of >= hours / 6
    slope, _ = np.polyfit(hours_of[settled], sizes[settled], 1)
    spread = float(np.ptp(sizes[settled]))
    print(f"memory over {hours:g} simulated hours of {len(streams)} cameras, {cpu:.0f} s of CPU time:")
    print("  " + ", ".join(f"{size:.0f} MiB at {hour:.2f} h" for hour, size in samples))
    print(f"  after {hours / 6:.2f} h: {slope:+.1f} MiB/h, and a range of {spread:.1f} MiB (goal: no growth)")


def _watched(container: Container, files: Sequence[Path], fps: int, *, hours: float) -> Iterator[tuple[float, float]]:
    """Search the frames of all cameras at simulated times; yield hours and MiB now and then."""
    repository, watched = container.camera_repository, []
    for number in range(len(files)):
        setup = CameraSetup(f"camera{number}", "default", CameraKind.POSTED, None, fps, keeps_images=True)
        watched.append(container.camera_workers.posted(repository.create(setup, most=len(files))))
    start = datetime.now(UTC)
    visits = max(1, round(timedelta(hours=hours) / BETWEEN_VISITS))
    every = max(1, visits // _SAMPLES)
    for number in range(visits):
        at = start + number * BETWEEN_VISITS
        for camera, file in zip(watched, files, strict=True):
            for place, frame in enumerate(operators_source(file, DecodingOptions(fps)).frames()):
                camera.last_frame_at = at + timedelta(seconds=place / fps)
                camera.see(CameraFrame(Image(frame.image.pixels), camera.last_frame_at))
        if number % every == every - 1:
            yield (number + 1) / visits * hours, _resident_mib()


def _resident_mib() -> float:
    """Return this process's resident memory in MiB, after it has given back what it can."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


if __name__ == "__main__":
    main()
