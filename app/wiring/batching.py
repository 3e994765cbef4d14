"""How many photos are analysed at once, and how they share runs of the embedder."""

import os

from app.config import Settings
from app.types import Provider
from app.vision.inference.batcher import Batching
from app.vision.inference.runtime import Runtime

_LARGEST_ON_A_GPU = 32


def batching_of(settings: Settings, runtime: Runtime) -> Batching | None:
    """Return how concurrent requests share runs of the embedder; None where each photo has its own: on the CPU."""
    inference = settings.inference
    is_gpu = runtime.provider is not Provider.CPU
    largest = inference.batch_size or (_LARGEST_ON_A_GPU if is_gpu else 1)
    if largest == 1:
        return None
    return Batching(largest, inference.batch_wait_ms / 1000, inference.batch_queue, is_padded=is_gpu)


def photos_at_once(settings: Settings, runtime: Runtime) -> int:
    """Return how many photos are analysed at the same time.

    By default, this is the number of cores; with batching, plus half a batch. The additional photos wait for a run and
    use no core, and without them no batch would fill. Half a batch is enough because each photo takes two places in it,
    for a crop and its mirror image.
    """
    batching = batching_of(settings, runtime)
    waiting = batching.largest // 2 if batching else 0
    return settings.inference.concurrency or (os.cpu_count() or 1) + waiting


def threads_of(settings: Settings) -> int:
    """Return the number of threads for work on many photos: a job's, a command's."""
    return settings.inference.concurrency or os.cpu_count() or 1
