"""Do everything of training that needs an NVIDIA GPU, in less than ten minutes: checks, speed and memory.

    make training && .venv/bin/python benchmarks/gpu_training.py [--arcface-torch insightface/recognition/arcface_torch]

The photos are made up, and the network is IResNet-50 where the speed is measured. Two processes use NCCL if there are
two GPUs, and gloo on one. Exit status 0: everything that could run has passed. 1: something failed. 2: this machine has
no GPU that PyTorch can use, and nothing ran. The last table names each step that was skipped, and why. NOT YET RUN ON A
GPU.
"""

import argparse
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from steps import BUDGET, Step, refuse, report, run_all

from app.config import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable

PARTS = ("waiting", "precisions", "processes", "resuming", "speed", "loading", "compile", "arcface-torch")


def own(part: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs a part of this script."""
    return (sys.executable, __file__, "--part", part, *arguments)


def steps(arcface_torch: Path | None) -> list[Step]:
    """Return the steps, the most important first."""
    tests = (sys.executable, "-m", "pytest", "-q", "-m", "gpu", str(PROJECT / "tests" / "training"))
    beside = own("arcface-torch", "--arcface-torch", str(arcface_torch))
    return [
        Step("tests marked gpu", tests, 60),
        Step("steps without waiting for the GPU", own("waiting"), 90),
        Step("photos per second and memory", own("speed"), 150),
        Step("loss curves of fp16 and bf16, compared with fp32", own("precisions"), 120),
        Step("two processes, compared with one of the double batch", own("processes"), 90),
        Step("a resumed run", own("resuming"), 60),
        Step("data loading, page-locked memory", own("loading"), 90),
        Step("the step of arcface_torch in comparison", beside, 60, partial(_no_arcface_torch, arcface_torch)),
        Step("torch.compile", own("compile"), 180),
    ]


def obstacle_of_machine() -> str | None:
    """Return what to repair if PyTorch cannot use a GPU here, or None."""
    if find_spec("torch") is None:
        return "PyTorch is not installed; run: make training"
    import torch  # noqa: PLC0415 - it may be missing

    if torch.cuda.is_available():
        return None
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA; choose another with TORCH=..."
    return f"PyTorch {torch.__version__} ({build}) finds none"


def run_part(part: str, *, arcface_torch: Path | None, out: Path | None, is_tiny: bool) -> int:
    """Run a part in this process; return its exit status."""
    import training_checks  # noqa: PLC0415 - they need PyTorch
    import training_speed  # noqa: PLC0415
    from training_runs import TINY, Sizes  # noqa: PLC0415

    sizes = TINY if is_tiny else Sizes()
    member = (__file__, "--part", "member", *(["--tiny"] if is_tiny else []))
    parts: dict[str, Callable[[], int]] = {
        "waiting": lambda: training_checks.waiting(sizes, training_checks.CASES),
        "precisions": lambda: training_checks.precisions(sizes),
        "processes": lambda: training_checks.processes(sizes, member),
        "resuming": lambda: training_checks.resuming(sizes),
        "speed": lambda: training_speed.speed(sizes, training_speed.MACHINES),
        "compile": lambda: training_speed.speed(sizes, training_speed.COMPILED),
        "loading": lambda: training_speed.loading(sizes),
        "arcface-torch": lambda: training_speed.beside_arcface_torch(sizes, arcface_torch or Path()),
        "member": lambda: training_checks.member(sizes, out or Path()),
    }
    return parts[part]()


def _no_arcface_torch(folder: Path | None) -> str | None:
    if folder is None:
        return "its folder is not given; clone github.com/deepinsight/insightface and use --arcface-torch"
    return None if (folder / "partial_fc_v2.py").is_file() else f"{folder} has no partial_fc_v2.py"


def main() -> int:
    """Run the steps and print the outcome of each; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=(*PARTS, "member"), help="only this part")
    parser.add_argument("--seconds", type=float, default=BUDGET, help="start no step after this time")
    parser.add_argument("--arcface-torch", type=Path, help="the folder recognition/arcface_torch of InsightFace")
    parser.add_argument("--tiny", action="store_true", help="tiny sizes on the CPU, to test a part")
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    obstacle = None if options.tiny and options.part else obstacle_of_machine()
    if obstacle is not None:
        return refuse(obstacle)
    if options.part is None:
        return report(run_all(steps(options.arcface_torch), options.seconds))
    return run_part(
        options.part,
        arcface_torch=options.arcface_torch,
        out=options.out,
        is_tiny=options.tiny,
    )


if __name__ == "__main__":
    raise SystemExit(main())
