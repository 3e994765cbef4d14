"""Do everything that needs an NVIDIA GPU, in less than ten minutes: tests, networks, batches, search, the CUDA image.

    make networks EXTRA=gpu && .venv/bin/python benchmarks/gpu.py

Exit status 0: everything that could run has passed. 1: something failed. 2: this machine has no usable GPU, and nothing
ran. The last table names each step that was skipped, and why. NOT YET RUN ON A GPU.
"""

import argparse
import json
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from functools import partial
from importlib.metadata import distributions
from typing import TYPE_CHECKING

import numpy as np
from onnxruntime import get_available_providers
from service import Client, form, per_second, running
from steps import BUDGET, Step, refuse, report, run_all

from app.cli.demo_photos import as_jpeg, group_photo
from app.cli.gpu_advice import GpuFacts, gpu_advice
from app.config import PROJECT
from app.errors import ProviderUnavailable
from app.gallery.index.kinds import LOCAL_INDEXES
from app.types import IndexKind, Provider
from app.vision.inference.runtime import resolve

if TYPE_CHECKING:
    from app.gallery.index.protocol import LocalIndex

_GOAL = 8  # times the embeddings a second of runs of one crop
_CLIENTS = 64
_ROWS, _DIMENSION, _TOP_K, _SEARCHES = 1_000_000, 128, 10, 50


def own(part: str) -> tuple[str, ...]:
    """Return the command that runs a part of this script."""
    return (sys.executable, __file__, "--part", part)


def steps() -> list[Step]:
    """Return the steps, the most important first."""
    python, providers = sys.executable, str(PROJECT / "benchmarks" / "providers.py")
    image = "make image EXTRA=gpu && docker run --rm --gpus all arcid-gpu doctor"
    return [
        Step("tests marked gpu", (python, "-m", "pytest", "-q", "-m", "gpu", str(PROJECT / "tests")), 180),
        Step("CUDA against the CPU provider", (python, providers, "cuda"), 90),
        Step("batches through the API", own("batches"), 120),
        Step("search on the GPU and on the CPU", own("search"), 90),
        Step("TensorRT against the CPU provider", (python, providers, "tensorrt"), 240, _no_tensorrt),
        Step("the CUDA image", ("sh", "-c", f"cd {PROJECT} && {image}"), 300, _no_docker),
    ]


def obstacle_of_machine() -> str | None:
    """Return what to repair if CUDA does not work here, or None."""
    wheels = {name for each in distributions() if (name := each.metadata["Name"] or "").startswith("onnxruntime")}
    try:
        resolve(Provider.CUDA, threads=1)
    except ProviderUnavailable as error:
        return f"{error}\n{gpu_advice(GpuFacts.read(wheels))}"
    return None


def _no_tensorrt() -> str | None:
    has_provider = "TensorrtExecutionProvider" in get_available_providers()
    return None if has_provider else "this build of ONNX Runtime has no TensorRT provider"


def _no_docker() -> str | None:
    return None if shutil.which("docker") else "docker is not installed"


def batches() -> int:
    """Compare embeddings a second through the API: runs of at most 32 crops, and runs of one; 64 clients."""
    body, rates = form(as_jpeg(group_photo())), {}
    for size in ("1", "32"):
        environment = {"ARCID_INFERENCE__PROVIDER": "cuda", "ARCID_INFERENCE__BATCH_SIZE": size}
        with running({**environment, "ARCID_INFERENCE__CONCURRENCY": str(_CLIENTS)}) as service:
            faces = len(json.loads(Client(service.port).post("/embed", body))["faces"])
            ask = [partial(Client(service.port).post, "/embed", body) for _ in range(_CLIENTS)]
            per_second(ask, 5)  # a GPU prepares once for each size
            rates[size] = statistics.median(per_second(ask, 5) for _ in range(3)) * faces
    ratio = rates["32"] / rates["1"]
    print(f"embeddings/s: {rates['1']:.0f} in runs of 1, {rates['32']:.0f} in runs of up to 32: {ratio:.2f} times")
    return verdict(ratio)


def verdict(ratio: float) -> int:
    """Print whether a ratio reaches the goal; return the exit status."""
    is_reached = ratio >= _GOAL
    print(f"goal of {_GOAL}: {'reached' if is_reached else 'MISSED'}")
    return 0 if is_reached else 1


def search(rows: int = _ROWS, kinds: Sequence[IndexKind] = (IndexKind.EXACT, IndexKind.GPU)) -> int:
    """Compare single searches of two kinds of index, and what they find. The status is 1 if they differ."""
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(rows, _DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    probes, keys = vectors[:_SEARCHES], np.arange(rows, dtype=np.int64)
    times, found = [], []
    for kind in kinds:
        index: LocalIndex = LOCAL_INDEXES[kind](_DIMENSION)
        index.add(keys, vectors)
        index.search(probes[:1], _TOP_K)
        spent = []
        for probe in probes:
            started = time.perf_counter()
            found.append(index.search(probe[None], _TOP_K)[1].tolist())
            spent.append(time.perf_counter() - started)
        times.append(statistics.median(spent))
        print(f"{kind}: p50 {times[-1] * 1e3:.2f} ms for {rows} x {_DIMENSION}", flush=True)
    is_same = found[: len(probes)] == found[len(probes) :]
    print(f"{kinds[1]} takes {times[1] / times[0]:.3f} of {kinds[0]}; same results: {is_same}")
    return 0 if is_same else 1


def main() -> int:
    """Run the steps and print the outcome of each; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("batches", "search"), help="only this measurement")
    parser.add_argument("--seconds", type=float, default=BUDGET, help="start no step after this time")
    options = parser.parse_args()
    obstacle = obstacle_of_machine()
    if obstacle is not None:
        return refuse(obstacle)
    if options.part is not None:
        return batches() if options.part == "batches" else search()
    return report(run_all(steps(), options.seconds))


if __name__ == "__main__":
    raise SystemExit(main())
