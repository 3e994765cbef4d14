"""Problems of a configuration and its data that are found before a run starts."""

import platform
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

from app.errors import TrainingInvalid
from app.training.config import TrainingConfig
from app.training.data.batches import BatchSampler
from app.training.data.source import Labels
from app.training.learner import build_learner
from app.training.optimiser import build_optimiser

_CPU_FACTS = Path("/proc/cpuinfo")
_BF16 = re.compile(r"\b(avx512_bf16|amx_bf16|bf16)\b")


def check_config(config: TrainingConfig) -> None:
    """Build the learner and the optimizer once, before photos are aligned, which may take hours.

    Raises TrainingInvalid if one cannot be built or a key fits no data, and TrainingUnavailable without its package.
    """
    if config.schedule.batch_size < 2:
        raise TrainingInvalid(
            "schedule.batch_size is 1, and batch normalisation needs two photos or more; 32 or more train well"
        )
    build_optimiser(build_learner(config, classes=2), config)


def warnings_of(config: TrainingConfig, labels: Labels, *, has_bf16: bool, processes: int = 1) -> Iterator[str]:
    """Yield sentences on settings that are allowed and probably not intended.

    Args:
        config: The run.
        labels: Person of each photo (n,).
        has_bf16: Whether the device computes bf16 in hardware.
        processes: Number of processes of the run.
    """
    yield from _schedule_warnings(config, labels, processes)
    if config.machine.amp == "bf16" and not has_bf16:
        yield (
            "machine.amp = bf16, but this hardware has no bf16 instructions: it is several times slower than "
            "machine.amp = off"
        )
    if config.teacher is not None:
        return
    if config.loss.name == "triplet" and config.data.photos_per_person < 2:
        yield (
            "the loss triplet compares photos of one person in a batch, and data.photos_per_person = "
            f"{config.data.photos_per_person} puts them there only by chance; set it to 2 or more"
        )
    if np.bincount(labels).max() < 2:
        yield (
            "each person has one photo, so the network cannot learn how photos of one person differ; "
            "each folder should hold all photos of a person"
        )


def _schedule_warnings(config: TrainingConfig, labels: Labels, processes: int) -> Iterator[str]:
    """Yield sentences on milestones and a warm-up that do not end before the run."""
    schedule, group = config.schedule, config.data.photos_per_person
    sampler = BatchSampler(labels, schedule.batch_size, world_size=processes, per_person=group)
    try:
        end = schedule.end(sampler.iterations)
    except TrainingInvalid:  # too few photos: an error, not a warning
        return
    length = f"{end:g} {schedule.unit.removesuffix('s') if end == 1 else schedule.unit}"
    late = [milestone for milestone in schedule.milestones if milestone >= end]
    if schedule.kind == "step" and late:
        names = ", ".join(f"{milestone:g}" for milestone in late)
        yield (f"the run ends after {length}, so the learning rate does not drop at {names} (schedule.milestones)")
    if schedule.warm_up >= end:
        yield f"the run ends after {length}, during schedule.warm_up = {schedule.warm_up:g}"


def computes_bf16(device: torch.device) -> bool:
    """Return whether the device computes bf16 in hardware; true if this is unknown."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if platform.system() != "Linux":
        return True
    with suppress(OSError):
        return bool(_BF16.search(_CPU_FACTS.read_text("utf-8", "replace")))
    return True
