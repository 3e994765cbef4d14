"""Compare the speed of `machine.channels_last` with the default: CPU time of forward and backward passes, in turns.

    python benchmarks/channels_last.py [--rounds 5]

The measured speed is that of one thread in float32. PyTorch 2.13 crashes in the backward pass of 1x1 convolutions of 8
channels in this layout, so the smallest width here is a quarter.
"""

import argparse
import time

import torch
from torch import Tensor, nn

from app.training.backbones.building import build_backbone
from app.training.backbones.spec import BackboneSpec

_CASES = (("iresnet18", 0.25, 16), ("mobilefacenet", 1.0, 8), ("iresnet18", 1.0, 8), ("iresnet18", 1.0, 32))


def main() -> None:
    """Print the ratios of each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    for name, width, batch in _CASES:
        ratios = _ratios(BackboneSpec(name, width=width), batch, rounds)
        print(f"{name}, width {width}, batch {batch}: {', '.join(f'{ratio:.2f}' for ratio in ratios)}", flush=True)


def _ratios(spec: BackboneSpec, batch: int, rounds: int) -> list[float]:
    """Return how many times as many photos per CPU second the layout takes, sorted; the first pass does not count."""
    cases = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        crops = torch.randn(batch, 3, 112, 112).contiguous(memory_format=memory_format)
        cases.append((build_backbone(spec).to(memory_format=memory_format), crops))
    seconds = [[_seconds(*case) for case in cases] for _ in range(rounds + 1)][1:]
    return sorted(default / last for default, last in seconds)


def _seconds(network: nn.Module, crops: Tensor) -> float:
    start = time.process_time()
    network(crops).sum().backward()
    network.zero_grad()
    return time.process_time() - start


if __name__ == "__main__":
    main()
