"""Checks of training on a GPU: loss curves of half precision, steps without waiting, two processes, resuming."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, distributed
from training_runs import Groups, LossCurve, People, Sizes, config_of, run

from app.training.checkpoint import LAST, MIDDLE, load
from app.training.config import TrainingConfig
from app.training.data.batches import Batch
from app.training.distributed import DistributedContext, distributed_context
from app.training.loop import RunContext, Training

_GAP = 0.1  # of the first loss, between means over a tenth of the run
_SAME = 0.02  # relative, between losses of the same computation in fp32
_ALMOST = 0.05  # and in fp16
_WARM = 3  # iterations in which PyTorch chooses algorithms and allocates
_STEPS = 20
_MEMBER_ITERATIONS = 20
_BOTH = 2
CASES: dict[str, Groups] = {
    "fp32, adaface": {"loss": {"name": "adaface"}},
    "fp32, magface": {"loss": {"name": "magface"}},
    "fp32, center": {"loss": {"name": "center"}},
    "fp32, softmax": {"loss": {"name": "softmax"}},
    "bf16, arcface, moving average": {
        "loss": {"name": "arcface"},
        "machine": {"amp": "bf16"},
        "optimiser": {"ema": 0.99},
    },
    "fp16, arcface, clipped": {"loss": {"name": "arcface"}, "machine": {"amp": "fp16"}, "optimiser": {"clip": 1.0}},
    "fp16, adamw": {"machine": {"amp": "fp16"}, "optimiser": {"name": "adamw"}, "schedule": {"learning_rate": 0.001}},
    "bf16, Partial FC with sub-centres": {
        "loss": {"name": "arcface", "sample_rate": 0.5, "sub_centers": 2},
        "machine": {"amp": "bf16"},
    },
    "bf16, two parts, activations computed again": {
        "machine": {"amp": "bf16", "accumulation": 2, "checkpoint_activations": True, "channels_last": True}
    },
}


class UnwaitingTraining(Training):
    """A run whose steps fail if the host waits for the GPU, after a few in which PyTorch prepares."""

    def step(self, batch: Batch) -> Tensor:
        """See Training."""
        if self.iteration < _WARM:
            return super().step(batch)
        with _no_waiting():
            return super().step(batch)


@contextmanager
def _no_waiting() -> Iterator[None]:
    if not torch.cuda.is_available():
        yield
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def waiting(sizes: Sizes, cases: Mapping[str, Groups]) -> int:
    """Run our loop, reports included; the status is 1 if the host waits for the GPU in a step."""
    status, source = 0, People(sizes.people)
    for name, groups in cases.items():
        every = {"schedule": {"iterations": _STEPS, **groups.get("schedule", {})}, "keeping": {"log_every": 5}}
        config = config_of(sizes.device, sizes.batch, {"backbone": sizes.learner, **groups, **every})
        try:
            with tempfile.TemporaryDirectory() as folder, distributed_context(config.machine) as context:
                UnwaitingTraining(config, source, RunContext(Path(folder), context)).run()
        except RuntimeError as error:
            status = 1
            print(f"{name}: the host WAITS: {error}", flush=True)
        else:
            print(f"{name}: {_STEPS - _WARM} steps without waiting", flush=True)
    return status


def precisions(sizes: Sizes) -> int:
    """Print the loss curves of fp32, fp16 and bf16; the status is 1 if one is far from fp32.

    With fp16, GradScaler skips the first steps until its scale fits. They fall into the warm-up, where steps are small.
    """
    source, curves = People(sizes.people), {}
    for amp in ("off", "fp16", "bf16"):
        groups = {
            "backbone": sizes.learner,
            "machine": {"amp": amp},
            "schedule": {"iterations": sizes.iterations, "warm_up": sizes.iterations // 10, "unit": "iterations"},
            "keeping": {"log_every": sizes.iterations // 10},
        }
        with tempfile.TemporaryDirectory() as folder:
            curves[amp] = run(config_of(sizes.device, sizes.batch, groups), source, Path(folder))
        print(f"{amp:5} {' '.join(f'{loss:.3f}' for loss in curves[amp].losses.values())}", flush=True)
    return max(_compare(name, curves["off"], curves[name]) for name in ("fp16", "bf16"))


def _compare(name: str, expected: LossCurve, curve: LossCurve) -> int:
    first = next(iter(expected.losses.values()))
    gap = max(abs(loss - curve.losses[iteration]) for iteration, loss in expected.losses.items()) / first
    print(f"{name} is at most {gap:.3f} of the first loss away from fp32 ({_GAP} is allowed)", flush=True)
    return int(gap > _GAP)


def resuming(sizes: Sizes) -> int:
    """Resume a run from its middle, on the device and on the CPU; the status is 1 if the losses differ."""
    source, iterations = People(sizes.people), min(sizes.iterations, 40)
    groups: Groups = {
        "backbone": sizes.learner,
        "machine": {"amp": "fp16"},
        "optimiser": {"ema": 0.9},
        "schedule": {"iterations": iterations},
        "keeping": {"log_every": iterations // 10},
    }
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        whole = run(config_of(sizes.device, sizes.batch, groups), source, out)
        halves = run(config_of(sizes.device, sizes.batch, groups), source, out / "second", first=out / MIDDLE)
        is_whole = load(out / "second" / LAST)["iteration"] == iterations
        config = config_of("cpu", sizes.batch, groups)
        with distributed_context(config.machine) as context:
            Training(config, source, RunContext(out, context)).resume(out / LAST)
    expected = {iteration: loss for iteration, loss in whole.losses.items() if iteration > iterations // 2}
    return max(int(not is_whole), _same("resumed", expected, halves.losses, _ALMOST))


def _same(name: str, expected: Mapping[int, float], losses: Mapping[int, float], allowed: float) -> int:
    gap = max(abs(losses[iteration] / loss - 1) for iteration, loss in expected.items())
    print(f"{name}: the losses differ by at most {gap:.5f}, relatively ({allowed} is allowed)", flush=True)
    return int(gap > allowed)


def processes(sizes: Sizes, command: tuple[str, ...]) -> int:
    """Compare two processes with one of the double batch; the status is 1 if their losses differ.

    Args:
        sizes: Device and sizes.
        command: Arguments of a script that calls `member` with `--out FILE`.
    """
    with tempfile.TemporaryDirectory() as folder:
        out, file = Path(folder), Path(folder) / "losses.json"
        _exact()
        config = _member_config(sizes, _BOTH * (sizes.batch // _BOTH), is_shared=True)
        one = run(config, People(sizes.people), out).losses
        _torchrun((*command, "--out", str(file)))
        written = json.loads(file.read_text("utf-8"))
    shared, separate = ({int(iteration): loss for iteration, loss in losses.items()} for losses in written)
    gap = max(abs(separate[iteration] / loss - 1) for iteration, loss in one.items())
    print(f"without machine.sync_batch_norm, the losses of two processes differ by {gap:.5f}: they need not agree")
    return _same("two processes and one with the double batch", one, shared, _SAME)


def member(sizes: Sizes, out: Path) -> int:
    """Train twice in one of two processes that torchrun started, with synchronised batch normalisation and without.

    The first process writes the losses of both runs to `out`.
    """
    source, losses = People(sizes.people), []
    _exact()
    with _joined(sizes.device) as context, tempfile.TemporaryDirectory() as folder:
        for is_shared in (True, False):
            curve = LossCurve()
            config = _member_config(sizes, sizes.batch // _BOTH, is_shared=is_shared)
            callbacks = [curve] if context.is_main else []
            Training(config, source, RunContext(Path(folder), context, callbacks)).run()
            losses.append(curve.losses)
        if context.is_main:
            out.write_text(json.dumps(losses), "utf-8")
            print(f"backend {distributed.get_backend()}", flush=True)
    return 0


@contextmanager
def _joined(device: str) -> Iterator[DistributedContext]:
    """Join the other process: with NCCL if there are two GPUs, or else with gloo on the one GPU or the CPU."""
    if device == "cpu" or torch.cuda.device_count() >= _BOTH:
        with distributed_context(config_of(device, _BOTH, {}).machine) as context:
            yield context
        return
    torch.cuda.set_device(0)
    distributed.init_process_group("gloo")
    try:
        yield DistributedContext(torch.device("cuda:0"), distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


def _member_config(sizes: Sizes, batch: int, *, is_shared: bool) -> TrainingConfig:
    backbone = dict(sizes.learner)
    if str(backbone["name"]).startswith("iresnet"):
        backbone["dropout"] = 0.0  # each process draws its own
    groups: Groups = {
        "backbone": backbone,
        "machine": {"sync_batch_norm": is_shared},
        "loss": {"sample_rate": 0.5},
        "schedule": {"iterations": min(_MEMBER_ITERATIONS, sizes.iterations)},
        "keeping": {"log_every": 2},
    }
    return config_of(sizes.device, batch, groups)


def _exact() -> None:
    """Compute float32 without TF32, so that only the order of sums differs."""
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def _torchrun(arguments: tuple[str, ...]) -> None:
    rendezvous = ("--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", "--local-addr=127.0.0.1")
    words = (sys.executable, "-m", "torch.distributed.run", *rendezvous, "--nproc-per-node=2", *arguments)
    environment = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", **os.environ}
    subprocess.run(words, check=True, env=environment)
