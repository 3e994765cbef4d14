"""Measure the service's own cost: POST /identify against the same vision work without a service, in one run.

python benchmarks/stages.py [--memory]

Prints ratios, because absolute times depend on the machine.

Both sides do the same work on a photo, by the same code (`Analysis.analyse`): decoding, both detectors with their
second look, alignment, both embeddings of each face (with flip averaging), quality measures and sign networks. Both
search an exact index. Only the service has HTTP, threads, admission, rates, a database with owners and policies, error
rates, the log, metrics, statistics and its followers. `--bare` also prints what the quality measures cost, which
earlier versions of this script charged to the service.

p50: one client's median time over the bare median. CPU: CPU time of the bare side per photo over that of the service's
process. Throughput: answers per second over the photos per second of the bare side on all cores. The clients run on
the same cores, and their time counts against the service there.
"""

import argparse
import os
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from service import Client, Service, form, per_second, running

from app.cli.demo_photos import as_jpeg, cut_out, group_photo, stranger
from app.config import read_settings
from app.gallery.index.flat import FlatIndex
from app.observability.stages import recording
from app.recognition.analysis import Analysis
from app.types import Pixels
from app.wiring.model_loading import ModelLoader
from app.wiring.storage import open_packs

_CLIENTS = (8, 32)
_CORES = os.cpu_count() or 1
_TOP_K = 5
_TURNS = 3
_HEAD = "photo                      p50   CPU 1" + "".join(f"   CPU {each:2}  throughput {each:2}" for each in _CLIENTS)


@dataclass(frozen=True, slots=True)
class Bare:
    """The vision work of a photo and its search, without a service."""

    analysis: Analysis
    index: FlatIndex
    is_flip_averaged: bool

    def __call__(self, data: bytes) -> int:
        """Return the number of faces."""
        faces = self.analysis.analyse(data, is_flip_averaged=self.is_flip_averaged, is_probe=True)
        self.index.search(np.stack([each.vector for each in faces]), _TOP_K)
        return len(faces)

    def assess_share(self, data: bytes) -> float:
        """Return the share of the quality measures in the time of a photo."""
        with recording() as stages:
            started = time.perf_counter()
            self(data)
            return stages["assess"] / (time.perf_counter() - started)


def photos() -> dict[str, Pixels]:
    """Return the test photos by title."""
    group = group_photo()
    return {
        "one face, 212x256": cut_out(group, (61, 269, 167, 397)),
        "one face, 512x512": stranger(),
        "six faces, 1280x886": group,
        "six faces, 4000x2769": np.asarray(cv2.resize(group, (4000, 2769), interpolation=cv2.INTER_CUBIC), np.uint8),
    }


def bare_pipeline() -> Bare:
    """Open the networks of the settings in this process."""
    settings = read_settings()
    loader = ModelLoader(settings, open_packs(settings))
    return Bare(loader.default_analysis(), FlatIndex(loader.served[0].dimension), settings.inference.flip)


def latency(service: Service, bare: Callable[[bytes], int], data: bytes, rounds: int) -> tuple[float, float]:
    """Return the ratios of one client: median time over bare, and bare CPU time over the service's."""
    client, body = Client(service.port), form(data)
    requests, stages, served_cpu, bare_cpu = [], [], 0.0, 0.0
    for _ in range(rounds):
        cpu, started = service.cpu_seconds(), time.perf_counter()
        client.post("/identify", body)
        between = time.perf_counter()
        served_cpu += service.cpu_seconds() - cpu
        cpu = time.process_time()
        again = time.perf_counter()
        bare(data)
        stages.append(time.perf_counter() - again)
        bare_cpu += time.process_time() - cpu
        requests.append(between - started)
    return statistics.median(requests) / statistics.median(stages), bare_cpu / served_cpu


def throughput(
    service: Service, bare: Callable[[bytes], int], data: bytes, *, clients: int, seconds: float
) -> tuple[float, float]:
    """Return the ratios of many clients: photos per CPU second, and photos per second, over those of the bare side."""
    body = form(data)
    rates, costs = [], []
    for _ in range(_TURNS):
        # Connect again each time, because the service closes connections that were idle for seconds.
        connected = [Client(service.port) for _ in range(clients)]
        cpu, started = service.cpu_seconds(), time.perf_counter()
        served = per_second([partial(client.post, "/identify", body) for client in connected], seconds)
        answers = served * (time.perf_counter() - started)
        served_cpu = (service.cpu_seconds() - cpu) / answers
        cpu, started = time.process_time(), time.perf_counter()
        run = per_second([partial(bare, data)] * _CORES, seconds)
        bare_cpu = (time.process_time() - cpu) / (run * (time.perf_counter() - started))
        rates.append(served / run)
        costs.append(bare_cpu / served_cpu)
    return statistics.median(costs), statistics.median(rates)


def memory(service: Service, requests: int = 5000, first: int = 500) -> tuple[float, float]:
    """Return the resident memory in MiB after `first` and after all requests of mixed sizes from 8 clients."""
    group = group_photo()
    rng = np.random.default_rng(0)
    widths = [*rng.integers(64, 2600, 60).tolist(), 4000]
    bodies = [form(as_jpeg(np.asarray(cv2.resize(group, (w, int(w * 0.69))), np.uint8))) for w in widths]
    clients = [Client(service.port) for _ in range(_CLIENTS[0])]
    order = iter(rng.integers(0, len(bodies), requests).tolist())
    seen: list[float] = []
    for count in (first, requests - first):
        share = [[next(order) for _ in range(count // len(clients))] for _ in clients]
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
    parser.add_argument("--bare", action="store_true", help="print the share of the quality measures, too")
    parser.add_argument("--photos", type=int, help="only so many of the photos, the cheapest first")
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
        for title, pixels in list(photos().items())[: options.photos]:
            data = as_jpeg(pixels)
            bare(data)
            print(f"{title:24}" + "{:6.2f}{:8.2f}".format(*latency(service, bare, data, options.rounds)), end="")
            for clients in _CLIENTS:
                ratios = throughput(service, bare, data, clients=clients, seconds=options.seconds)
                print("{:9.2f}{:15.2f}".format(*ratios), end="", flush=True)
            print()
            if options.bare:
                print(f"  quality measures: {bare.assess_share(data):.1%} of the bare side")
        if options.memory:
            idle = service.resident_mib()
            before, after = memory(service)
            print(
                f"resident memory: {idle:.0f} MiB, {before:.0f} after 500, {after:.0f} after 5,000; "
                f"at most {service.resident_mib('VmHWM'):.0f}"
            )


if __name__ == "__main__":
    main()
