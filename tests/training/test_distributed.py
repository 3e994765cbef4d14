"""Two processes on the CPU, started by torchrun, and a killed run."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import nn

from app.config import PROJECT
from app.errors import CheckpointMismatch, TrainingUnavailable
from app.training import running
from app.training.checkpoint import LAST, load, load_trained
from app.training.config import MachineConfig, parse_config
from app.training.distributed import DistributedContext, distributed_context
from tests.training.people import no_cropper, write_people
from tests.training.test_loop import is_equal
from tests.training.two_processes import run

ARCID = ["-c", "from app.cli import main; main()"]
TORCHRUN = ["-m", "torch.distributed.run", "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
TINY = ["--backbone", "mobilefacenet"]
TINY += ["--set", "backbone.width=0.125", "--set", "backbone.dimension=16", "--set", "schedule.learning_rate=0.02"]


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("people"), people=4, photos=6)


def python(*arguments):
    words = [sys.executable, *map(str, arguments)]
    return subprocess.run(words, cwd=PROJECT, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=120)


def torchrun(*arguments):
    done = python(*TORCHRUN, "--local-addr=127.0.0.1", "--nproc-per-node=2", *arguments)
    assert done.returncode == 0, done.stderr
    return done


def losses_of(out):
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def test_two_processes_learn_as_one_with_the_double_batch(people, tmp_path):
    """Without batch normalisation, because on the CPU each process has its own statistics."""
    torchrun("-m", "tests.training.two_processes", people, tmp_path / "two")
    one = run(people, tmp_path / "one", batch=8)
    assert len(losses_of(tmp_path / "two")) == one.total == 15
    np.testing.assert_allclose(losses_of(tmp_path / "two"), losses_of(tmp_path / "one"), rtol=1e-5)
    assert losses_of(tmp_path / "one")[-1] < 0.8 * losses_of(tmp_path / "one")[0]
    two = load(tmp_path / "two" / LAST)
    for part in ("backbone", "loss"):
        for name, weights in getattr(one.learner, part).state_dict().items():
            np.testing.assert_allclose(two[part][name], weights, rtol=1e-3, atol=1e-5)


def test_the_command_in_two_processes(people, tmp_path):
    """With batch normalisation, whose statistics are separate on the CPU. So no reference curve exists."""
    command, out = tmp_path / "arcid.py", tmp_path / "out"
    command.write_text("from app.cli import main\nmain()\n")
    options = ["--aligned", "--epochs", 4, "--batch-size", 4, "--set", "keeping.log_every=1"]
    torchrun(command, "train", "--data", people, "--out", out, *TINY, *options)
    losses = losses_of(out)
    assert len(losses) == 12
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    trained = load_trained(out)
    assert trained.config.schedule.batch_size == 4
    with pytest.raises(CheckpointMismatch, match="processes = 2, not 1"):
        train(trained.config, out, is_resumed=True)


def train(config, out, **options):
    return running.train(config, out, open_cropper=no_cropper, console=Console(quiet=True), **options)


def test_a_killed_run_ends_as_one_that_was_not(people, tmp_path):
    config = parse_config(
        {
            "data": {"path": people, "aligned": True, "augmentation": {"blur": 0.5}},
            "backbone": {"name": "iresnet18", "width": 0.125, "dimension": 16},
            "schedule": {"epochs": 5, "batch_size": 8, "learning_rate": 0.02, "kind": "step", "milestones": [2, 3]},
            "keeping": {"save_every": 2, "log_every": 1},
        }
    )
    (tmp_path / "run.toml").write_text(config.to_toml())
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    words = [sys.executable, *ARCID, "train", "--config", str(tmp_path / "run.toml"), "--out", str(killed)]
    process = subprocess.Popen(words, cwd=PROJECT, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 100
    while not (killed / LAST).exists() or len(losses_of(killed)) < 4:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 0 < load(killed / LAST)["iteration"] < 15

    done = python(*ARCID, "train", "--resume", "--out", killed)
    assert done.returncode == 0, done.stderr
    train(config, whole)
    assert load(killed / LAST)["iteration"] == 15
    assert is_equal(load(killed / LAST), load(whole / LAST))
    assert losses_of(killed) == losses_of(whole)
    assert (killed / "config.toml").read_text() == config.to_toml()


def test_sigterm_saves_and_ends(people, tmp_path):
    out = tmp_path / "out"
    words = [sys.executable, *ARCID, "train", "--data", str(people), "--out", str(out), "--aligned", *TINY]
    words += ["--epochs", "500", "--batch-size", "8", "--set", "keeping.log_every=1"]
    process = subprocess.Popen(words, cwd=PROJECT, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 100
    while not (out / "metrics.jsonl").exists() or not losses_of(out):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.terminate()
    _, shown = process.communicate(timeout=60)
    assert process.returncode == 130
    iteration = load(out / LAST)["iteration"]
    assert f"stopped at iteration {iteration} of 1500" in shown
    assert len(losses_of(out)) == iteration


@pytest.mark.parametrize(("device", "kind"), [("cpu", nn.BatchNorm2d), ("cuda:0", nn.SyncBatchNorm)])
def test_statistics_of_batches_are_shared_on_gpus_only(device, kind):
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    weights = [parameter.data_ptr() for parameter in module.parameters()]
    DistributedContext(torch.device(device), rank=0, world_size=2).share_batch_norm(module)
    assert type(module[1]) is kind
    assert [parameter.data_ptr() for parameter in module.parameters()] == weights


def test_a_device_that_is_not_there_is_not_replaced():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    for device in ("cuda", "cuda:1"):
        with pytest.raises(TrainingUnavailable, match=device), distributed_context(MachineConfig(device=device)):
            pass
