"""Measure the gain of batching: embeddings of N client threads with and without it, in one run.

python benchmarks/batching.py [--pack open] [--provider auto] [--clients 1 4 16 32] [--batch 32] [--wait-ms 2]

Each client embeds one crop after another, with its mirror image, like a photo with one face. Both modes are measured
alternately, three times. The result is the ratio of the medians. The ratio should exceed 1 on a GPU with several
clients, and not on a CPU. NOT YET RUN ON A GPU: no measurement supports the default of ARCID_INFERENCE__BATCH_SIZE.
"""

import argparse
import statistics
from functools import partial

import numpy as np
from service import per_second

from app.config import read_settings
from app.types import Pixels, Provider
from app.vision.embedding import Embedder
from app.vision.inference.batcher import Batching
from app.vision.inference.runtime import Runtime, resolve
from app.wiring.networks import open_embedder
from app.wiring.storage import open_packs

_TIMES = 3


def crops(count: int) -> Pixels:
    """Return crops of noise; the cost of a network does not depend on the image."""
    return np.random.default_rng(0).integers(0, 256, (count, 112, 112, 3), dtype=np.uint8)


def rate(embedder: Embedder, clients: int, seconds: float, faces: int) -> float:
    """Return the faces per second of `clients` threads."""
    return per_second([partial(embedder.embed, crops(faces), is_flip_averaged=True)] * clients, seconds) * faces


def runs(embedder: Embedder) -> tuple[int, int]:
    """Return the numbers of crops and runs until now."""
    sizes = embedder.batcher.state().sizes if embedder.batcher else {}
    return sum(size * count for size, count in sizes.items()), sum(sizes.values())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", default="open")
    parser.add_argument("--provider", type=Provider, default=Provider.AUTO, choices=list(Provider))
    parser.add_argument("--threads", type=int, default=1, help="threads of one network run, on the CPU")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16, 32, 64])
    parser.add_argument("--faces", type=int, default=1, help="faces in each photo")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--wait-ms", type=float, default=2)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    packs = open_packs(read_settings())
    runtime: Runtime = resolve(options.provider, options.threads)
    is_gpu = runtime.provider is not Provider.CPU
    batching = Batching(options.batch, options.wait_ms / 1000, is_padded=is_gpu)
    pack = packs.manifest(options.pack)
    alone, shared = (open_embedder(packs, pack, runtime, each) for each in (None, batching))
    print(f"{options.pack} on {runtime.provider}, {options.faces} face(s) a photo, runs of at most {options.batch}")
    print("clients  faces/s alone  faces/s shared  ratio  crops a run")
    for clients in options.clients:
        for embedder in (alone, shared):
            rate(embedder, clients, min(options.seconds, 2), options.faces)  # a GPU prepares once for each size
        crops_before, runs_before = runs(shared)
        rates = [
            (
                rate(alone, clients, options.seconds, options.faces),
                rate(shared, clients, options.seconds, options.faces),
            )
            for _ in range(_TIMES)
        ]
        before, after = (statistics.median(each) for each in zip(*rates, strict=True))
        crops_after, runs_after = runs(shared)
        mean = (crops_after - crops_before) / (runs_after - runs_before)
        print(f"{clients:7}{before:15.1f}{after:16.1f}{after / before:7.2f}{mean:13.1f}", flush=True)
    shared.close()


if __name__ == "__main__":
    main()
