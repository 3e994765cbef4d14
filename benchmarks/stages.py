"""Measure the service's overhead over its stages: POST /identify against the bare pipeline, in one run.

python benchmarks/stages.py [--memory]

Prints ratios, because absolute times depend on the machine. The bare pipeline is the same decoding, detection,
alignment, embedding and search, called in this process without HTTP, threads or a database.
"""

import argparse
import statistics
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from service import Client, Service, form, per_second, running

from app.cli.demo_photos import as_jpeg, cut_out, group_photo, stranger
from app.config import read_settings
from app.gallery.index.flat import FlatIndex
from app.types import Pixels
from app.vision.alignment import align
from app.vision.imaging.decode import Limits, decode
from app.vision.inference.runtime import resolve
from app.wiring.networks import detector_of, open_detector, open_embedder
from app.wiring.storage import open_packs

_CLIENTS = 8
_CORES = 2
_TOP_K = 5
_HEAD = "photo                     p50, 1 client  bare stages  ratio  8 clients/s  bare/s  ratio"


def photos() -> dict[str, Pixels]:
    """Return the test photos by title."""
    group = group_photo()
    return {
        "one face, 212x256": cut_out(group, (61, 269, 167, 397)),
        "one face, 512x512": stranger(),
        "six faces, 1280x886": group,
        "six faces, 4000x2769": np.asarray(cv2.resize(group, (4000, 2769), interpolation=cv2.INTER_CUBIC), np.uint8),
    }


def bare_pipeline() -> Callable[[bytes], int]:
    """Return the stages as one function from a photo's bytes to the number of faces."""
    settings = read_settings()
    packs = open_packs(settings)
    pack = packs.manifest(settings.pack)
    runtime = resolve(settings.inference.provider, settings.inference.threads)
    detector = open_detector(packs, detector_of(settings, pack), runtime, settings)
    embedder = open_embedder(packs, pack, runtime)
    index = FlatIndex(pack.embedder.dimension if pack.embedder else 0)
    limits, enough = Limits(), int(settings.detection.longest_side * 1.5)

    def run(data: bytes) -> int:
        image = decode(data, limits, enough=enough)
        detections = detector.detect(image.pixels)
        crops = align(image.pixels, np.array([each.landmarks for each in detections], np.float32).reshape(-1, 5, 2))
        index.search(embedder.embed(crops, is_flip_averaged=settings.inference.flip).vectors, _TOP_K)
        return len(detections)

    return run


def latency(service: Service, bare: Callable[[bytes], int], data: bytes, rounds: int) -> tuple[float, float]:
    """Return the median seconds of a request and of the bare stages, measured alternately."""
    client, body = Client(service.port), form(data)
    requests, stages = [], []
    for _ in range(rounds):
        started = time.perf_counter()
        client.post("/identify", body)
        between = time.perf_counter()
        bare(data)
        requests.append(between - started)
        stages.append(time.perf_counter() - between)
    return statistics.median(requests), statistics.median(stages)


def throughput(service: Service, bare: Callable[[bytes], int], data: bytes, seconds: float) -> tuple[float, float]:
    """Return requests per second of 8 clients, and photos per second of the bare pipeline on two threads."""
    body = form(data)
    served, run = [], []
    for _ in range(3):
        # Connect again each time, because the service closes connections that were idle for seconds.
        clients = [Client(service.port) for _ in range(_CLIENTS)]
        served.append(per_second([partial(client.post, "/identify", body) for client in clients], seconds))
        run.append(per_second([partial(bare, data)] * _CORES, seconds))
    return statistics.median(served), statistics.median(run)


def memory(service: Service, requests: int = 5000, first: int = 500) -> tuple[float, float]:
    """Return the resident memory in MiB after `first` and after all requests of mixed sizes from 8 clients."""
    group = group_photo()
    rng = np.random.default_rng(0)
    widths = [*rng.integers(64, 2600, 60).tolist(), 4000]
    bodies = [form(as_jpeg(np.asarray(cv2.resize(group, (w, int(w * 0.69))), np.uint8))) for w in widths]
    clients = [Client(service.port) for _ in range(_CLIENTS)]
    order = iter(rng.integers(0, len(bodies), requests).tolist())
    seen: list[float] = []
    for count in (first, requests - first):
        share = [[next(order) for _ in range(count // _CLIENTS)] for _ in clients]
        _post_all(clients, bodies, share)
        seen.append(service.resident_mib())
    return seen[0], seen[1]


def _post_all(clients: list[Client], bodies: list[bytes], share: list[list[int]]) -> None:
    def loop(client: Client, mine: list[int]) -> None:
        for index in mine:
            client.post("/identify", bodies[index])

    threads = [threading.Thread(target=loop, args=pair) for pair in zip(clients, share, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory", action="store_true", help="5,000 requests of mixed sizes, some minutes")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    bare = bare_pipeline()
    models = {"ARCID_MODELS_DIR": str(Path(read_settings().models_dir))}
    with running(models) as service:
        client = Client(service.port)
        for number, pixels in enumerate(photos().values()):
            client.post("/enroll", form(as_jpeg(pixels), "photos", identity_id=f"p{number}", face="largest"))
        print(_HEAD)
        for title, pixels in photos().items():
            data = as_jpeg(pixels)
            bare(data)
            request, stages = latency(service, bare, data, options.rounds)
            served, run = throughput(service, bare, data, options.seconds)
            print(
                f"{title:24}{request * 1e3:12.1f} ms{stages * 1e3:10.1f} ms{request / stages:7.2f}"
                f"{served:13.1f}{run:8.1f}{served / run:7.2f}",
                flush=True,
            )
        if options.memory:
            before, after = memory(service)
            print(f"resident memory: {before:.0f} MiB after 500, {after:.0f} MiB after 5,000: {after / before:.2f}")


if __name__ == "__main__":
    main()
