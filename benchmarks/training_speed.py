"""Speed and memory of training steps: precisions, memory layouts, loading of data, and arcface_torch's step."""

import gc
import importlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from training_runs import People, Sizes, config_of, random_batch, run, synchronise

from app.training.data.batches import BatchLoader, BatchSampler
from app.training.data.memory import HostMemory
from app.training.distributed import distributed_context
from app.training.learner import as_input
from app.training.loop import RunContext, Training

Machine = Mapping[str, Any]
_LEAST_BATCH = 2
_FAST = {"amp": "bf16", "channels_last": True}
MACHINES: dict[str, Machine] = {
    "fp32": {"amp": "off"},
    "fp32, channels last": {"amp": "off", "channels_last": True},
    "fp16": {"amp": "fp16"},
    "fp16, channels last": {"amp": "fp16", "channels_last": True},
    "bf16": {"amp": "bf16"},
    "bf16, channels last": _FAST,
    "bf16, channels last, activations computed again": {**_FAST, "checkpoint_activations": True},
}
COMPILED: dict[str, Machine] = {
    "bf16, channels last": _FAST,
    "bf16, channels last, compiled": {**_FAST, "compile": True},
}
_COPIES = 50


@dataclass(frozen=True, slots=True)
class StepRate:
    """Speed of a step, and the most memory that PyTorch allocated on the GPU (0 on the CPU)."""

    photos_per_second: float
    gigabytes: float
    batch: int


def speed(sizes: Sizes, machines: Mapping[str, Machine]) -> int:
    """Print photos per second and memory of each machine; the status is 1 if no batch fits."""
    status, source = 0, People(sizes.people, sizes.classes)
    for name, machine in machines.items():
        rate = _largest(partial(step_rate, sizes, source, machine), sizes.batch)
        if rate is None:
            status = 1
            print(f"{name:50} no batch fits into memory", flush=True)
        else:
            print(
                f"{name:50} batch {rate.batch:4}: {rate.photos_per_second:8,.1f} photos/s, {rate.gigabytes:6.2f} GB",
                flush=True,
            )
    return status


def step_rate(sizes: Sizes, source: People, machine: Machine, batch: int) -> StepRate:
    """Measure our training step, with arcface, on a batch that is already decoded."""
    _free()
    groups = {"backbone": sizes.backbone, "machine": machine, "loss": {"name": "arcface", "scale": 64.0}}
    config = config_of(sizes.device, batch, groups)
    with tempfile.TemporaryDirectory() as folder, distributed_context(config.machine) as context:
        training = Training(config, source, RunContext(Path(folder), context))
        training.learner.train()
        photos = random_batch(context.device, batch, sizes.people)
        return _rate(lambda: training.step(photos), context.device, batch, sizes.seconds)


def _largest(measure: Callable[[int], StepRate], batch: int) -> StepRate | None:
    """Measure the largest of the batches n, n / 2, n / 4 ... that fits into memory."""
    while batch >= _LEAST_BATCH:
        try:
            return measure(batch)
        except torch.OutOfMemoryError:
            batch //= 2
    return None


def _free() -> None:
    """Free the GPU memory of the measurement before."""
    gc.collect()
    torch.cuda.empty_cache()  # without effect on the CPU


def _rate(step: Callable[[], object], device: torch.device, batch: int, seconds: float) -> StepRate:
    """Repeat a step after ten that do not count."""
    chunk = 10 if device.type == "cuda" else 1
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    for _ in range(chunk):
        step()
    synchronise(device)
    count, started = 0, time.perf_counter()
    while (spent := time.perf_counter() - started) < seconds:
        for _ in range(chunk):
            step()
        synchronise(device)
        count += chunk
    memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
    return StepRate(count * batch / spent, memory / 1e9, batch)


def loading(sizes: Sizes) -> int:
    """Print the speed of the whole loop by number of threads, and the cost of copies; 1 if batches are not pinned."""
    source = People(sizes.people)
    alone = step_rate(sizes, source, _FAST, sizes.batch).photos_per_second
    print(f"step alone: {alone:,.0f} photos/s")
    for workers in (1, 4, 8):
        groups = {
            "backbone": sizes.backbone,
            "machine": _FAST,
            "data": {"workers": workers},
            "schedule": {"iterations": 4 * sizes.iterations // 10},
            "keeping": {"log_every": sizes.iterations // 10},
        }
        with tempfile.TemporaryDirectory() as folder:
            curve = run(config_of(sizes.device, sizes.batch, groups), source, Path(folder))
        share = curve.photos_per_second / alone
        rate = f"{curve.photos_per_second:,.0f} photos/s, {share:.2f} of the step"
        print(f"loop with {workers} threads: {rate}", flush=True)
    return _copies(sizes, source)


def _copies(sizes: Sizes, source: People) -> int:
    config = config_of(sizes.device, sizes.batch, {})
    with distributed_context(config.machine) as context:
        device, sampler = context.device, BatchSampler(source.labels, sizes.batch)
        is_pinned = []
        for memory in (HostMemory(torch.device("cpu")), HostMemory(device)):
            loader = BatchLoader(source, sampler, config.data.augmentation, memory=memory)
            (batch,) = loader.batches(0, 1)
            synchronise(device)
            started = time.perf_counter()
            copies = [batch.crops.to(device, non_blocking=True) for _ in range(_COPIES)]
            host = time.perf_counter() - started
            synchronise(device)
            whole = time.perf_counter() - started
            is_pinned.append(device.type == "cuda" and batch.crops.is_pinned())
            megabytes = batch.crops.nbytes / 1e6
            print(
                f"copy of {megabytes:.1f} MB, page-locked: {is_pinned[-1]}; the host is back after "
                f"{host / len(copies) * 1e3:.3f} ms, the copy has finished after {whole / len(copies) * 1e3:.3f} ms"
            )
    return int(is_pinned != [False, device.type == "cuda"])


def beside_arcface_torch(sizes: Sizes, folder: Path) -> int:
    """Print our speed and that of the training step of arcface_torch, in turns: fp16, arcface, the same network."""
    source = People(sizes.people, sizes.classes)
    for turn in range(2):
        ours = [
            step_rate(sizes, source, {"amp": "fp16", "channels_last": layout}, sizes.batch) for layout in (False, True)
        ]
        theirs = _arcface_torch_rate(sizes, folder)
        for name, rate in (("ArcID", ours[0]), ("ArcID, channels last", ours[1]), ("arcface_torch", theirs)):
            ratio = rate.photos_per_second / theirs.photos_per_second
            print(
                f"turn {turn + 1}: {name:22} {rate.photos_per_second:8,.1f} photos/s, {rate.gigabytes:6.2f} GB, "
                f"{ratio:.2f} of arcface_torch",
                flush=True,
            )
    return 0


def _arcface_torch_rate(sizes: Sizes, folder: Path) -> StepRate:
    """Measure the step of train_v2.py: fp16, gradients clipped at 5, the loss read on the host in each step.

    DistributedDataParallel and the scheduler are left out, and the photos are already on the GPU, which favours it.
    """
    _free()
    config = config_of(sizes.device, sizes.batch, {})
    with distributed_context(config.machine) as context, _alone(context.device), _importing(folder):
        device = context.device
        get_model = importlib.import_module("backbones").get_model
        margin = importlib.import_module("losses").CombinedMarginLoss(64, 1.0, 0.5, 0.0)
        partial_fc = importlib.import_module("partial_fc_v2").PartialFC_V2
        backbone = get_model("r50", dropout=0.0, fp16=True, num_features=512).to(device).train()
        head = partial_fc(margin, 512, sizes.classes, sample_rate=1.0, fp16=True).to(device).train()
        groups = [{"params": backbone.parameters()}, {"params": head.parameters()}]
        optimiser = torch.optim.SGD(groups, lr=0.02, momentum=0.9, weight_decay=5e-4)
        scaler = torch.amp.GradScaler(device.type, growth_interval=100)
        batch = random_batch(device, sizes.batch, sizes.people)
        crops, labels = as_input(batch.crops.to(device)), batch.labels.to(device)

        def step() -> None:
            loss = head(backbone(crops), labels.clone())
            scaler.scale(loss).backward()
            scaler.unscale_(optimiser)
            torch.nn.utils.clip_grad_norm_(backbone.parameters(), 5)
            scaler.step(optimiser)
            scaler.update()
            optimiser.zero_grad()
            loss.item()

        return _rate(step, device, sizes.batch, sizes.seconds)


@contextmanager
def _alone(device: torch.device) -> Iterator[None]:
    """Join a process group of this process alone, which arcface_torch needs."""
    with tempfile.TemporaryDirectory() as folder:
        backend = "gloo" if device.type == "cpu" else "nccl"
        distributed.init_process_group(backend, f"file://{folder}/store", rank=0, world_size=1)
        try:
            yield
        finally:
            distributed.destroy_process_group()


@contextmanager
def _importing(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
