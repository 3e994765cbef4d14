"""Compare an execution provider with the CPU provider, network by network: largest difference, and ratio of CPU time.

Run it in an environment that has the provider, after `arcid models pull`:

    make networks EXTRA=openvino && .venv/bin/python benchmarks/providers.py openvino

It exits with status 1 if a network's answers differ by more than a thousandth of their largest value. Times are of this
process on the CPU, so they do not describe a GPU.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnxruntime import InferenceSession

from app.config import Settings
from app.types import Floats, Provider
from app.vision.inference.runtime import Runtime, resolve

DETECTOR_SIDE = 320  # pixels, for networks that take photos of any size
RUNS = 20
ROUNDS = 3
LARGEST_DIFFERENCE = 1e-3


@dataclass(frozen=True, slots=True)
class Comparison:
    """One network: `difference` is relative to the largest value, a `ratio` above 1 is slower than the CPU provider."""

    network: str
    difference: float
    ratio: float


def compared(folder: Path, provider: Provider) -> Iterator[Comparison]:
    """Yield a comparison of each network below a folder."""
    runtime = resolve(provider, threads=1)
    for path in sorted(folder.rglob("*.onnx")):
        sessions = Runtime(threads=1).open(path), runtime.open(path)
        photo = _photo(sessions[0])
        expected, answers = (session.run(None, {session.get_inputs()[0].name: photo}) for session in sessions)
        largest = max(float(np.abs(one).max()) for one in expected)
        difference = (
            max(float(np.abs(one - other).max()) for one, other in zip(expected, answers, strict=True)) / largest
        )
        rounds = [[_cpu_time(session, photo) for session in sessions] for _ in range(ROUNDS)]
        cpu, other = np.min(rounds, axis=0)
        yield Comparison(f"{path.parent.name}/{path.name}", difference, other / cpu)


def _photo(session: InferenceSession) -> Floats:
    batch, *shape = session.get_inputs()[0].shape
    sides = [side if isinstance(side, int) else DETECTOR_SIDE for side in shape]
    random = np.random.default_rng(0)
    return random.normal(size=(batch if isinstance(batch, int) else 1, *sides)).astype(np.float32)


def _cpu_time(session: InferenceSession, photo: Floats) -> float:
    start = time.process_time()
    for _ in range(RUNS):
        session.run(None, {session.get_inputs()[0].name: photo})
    return time.process_time() - start


def main() -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("provider", type=Provider, choices=[each for each in Provider if each is not Provider.AUTO])
    provider = parser.parse_args().provider
    comparisons = list(compared(Settings().models_dir, provider))
    print(f"{'network':32} {'difference':>10} {provider + '/cpu':>14}")
    for each in comparisons:
        print(f"{each.network:32} {each.difference:10.1e} {each.ratio:14.2f}")
    return int(not comparisons or max(each.difference for each in comparisons) > LARGEST_DIFFERENCE)


if __name__ == "__main__":
    raise SystemExit(main())
