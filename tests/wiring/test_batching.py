import os

import pytest

from app.config import read_settings
from app.types import Provider
from app.vision.inference.batcher import Batching
from app.vision.inference.runtime import Runtime
from app.wiring.batching import batching_of, photos_at_once

CPU, CUDA, TENSORRT = (Runtime(each) for each in (Provider.CPU, Provider.CUDA, Provider.TENSORRT))
CORES = os.cpu_count() or 1


def settings_of(**inference):
    return read_settings(inference=inference)


def test_on_the_cpu_each_photo_runs_by_itself():
    assert batching_of(settings_of(), CPU) is None
    assert photos_at_once(settings_of(), CPU) == CORES


@pytest.mark.parametrize("runtime", [CUDA, TENSORRT])
def test_on_a_gpu_runs_are_shared_and_more_photos_are_under_way(runtime):
    assert batching_of(settings_of(), runtime) == Batching(32, 0.002, 1024, is_padded=True)
    assert photos_at_once(settings_of(), runtime) == CORES + 16


def test_settings_win():
    wanted = settings_of(batch_size=8, batch_wait_ms=5, batch_queue=9, concurrency=3)
    assert batching_of(wanted, CUDA) == Batching(8, 0.005, 9, is_padded=True)
    assert batching_of(wanted, CPU) == Batching(8, 0.005, 9, is_padded=False)
    assert photos_at_once(wanted, CUDA) == 3
    assert batching_of(settings_of(batch_size=1), CUDA) is None
    assert photos_at_once(settings_of(batch_size=1), CUDA) == CORES
