"""benchmarks/gpu_training.py without a GPU: its exit status, its plan, and its parts with tiny sizes on the CPU."""

import re
import subprocess
import sys

import gpu_training
import pytest
import steps

from app.config import PROJECT

REASON = "PyTorch is not installed; run: make test TORCH=torch"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("tensorboard", reason=REASON)

import training_checks  # noqa: E402 - it needs PyTorch
import training_speed  # noqa: E402
from training_runs import TINY, LossCurve, config_of  # noqa: E402

from app.training.loop import Training  # noqa: E402

FAKE_ARCFACE_TORCH = {
    "backbones.py": """
from torch import nn
def get_model(name, *, dropout, fp16, num_features):
    assert name == "r50" and fp16
    return nn.Sequential(nn.AvgPool2d(28), nn.Flatten(), nn.Linear(48, num_features))
""",
    "losses.py": """
class CombinedMarginLoss:
    def __init__(self, *numbers):
        assert numbers == (64, 1.0, 0.5, 0.0)
""",
    "partial_fc_v2.py": """
from torch import distributed, nn
class PartialFC_V2(nn.Module):
    def __init__(self, margin, dimension, classes, sample_rate, fp16):
        super().__init__()
        assert distributed.get_world_size() == 1
        self.layer = nn.Linear(dimension, classes)
    def forward(self, features, labels):
        return nn.functional.cross_entropy(self.layer(features), labels)
""",
}


@pytest.mark.skipif(gpu_training.obstacle_of_machine() is None, reason="this machine has a GPU")
@pytest.mark.parametrize("arguments", [[], ["--part", "speed"]])
def test_without_a_gpu_nothing_runs_and_the_reason_is_named(arguments):
    script = str(PROJECT / "benchmarks" / "gpu_training.py")
    done = subprocess.run([sys.executable, script, *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == steps.NO_GPU
    assert "no usable NVIDIA GPU, so nothing ran: PyTorch" in done.stderr
    assert done.stdout == ""


def test_the_plan_names_each_part(tmp_path):
    planned = gpu_training.steps(tmp_path)
    named = {step.command[3] for step in planned if "--part" in step.command}
    assert named == set(gpu_training.PARTS)
    assert all(step.limit <= 300 for step in planned)


@pytest.mark.parametrize(
    ("folder", "reason"), [(None, "not given"), (PROJECT, "has no partial_fc_v2.py"), ("whole", None)]
)
def test_arcface_torch_is_skipped_without_its_folder(folder, reason, tmp_path):
    (tmp_path / "partial_fc_v2.py").touch()
    (step,) = (
        each for each in gpu_training.steps(tmp_path if folder == "whole" else folder) if "arcface" in each.title
    )
    obstacle = step.obstacle()
    assert obstacle is None if reason is None else reason in str(obstacle)


def test_speed_and_memory(capsys):
    machines = {"plain": {}, "bf16": {"amp": "bf16", "checkpoint_activations": True}}
    assert training_speed.speed(TINY, machines) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all("batch    8" in line and "photos/s" in line for line in lines)


def test_a_batch_that_does_not_fit_is_halved(capsys, monkeypatch):
    def rate(_sizes, _source, _machine, batch):
        if batch > 2:
            raise torch.OutOfMemoryError
        return training_speed.StepRate(5.0, 1.0, batch)

    monkeypatch.setattr(training_speed, "step_rate", rate)
    assert training_speed.speed(TINY, {"plain": {}}) == 0
    assert "batch    2" in capsys.readouterr().out
    monkeypatch.setattr(training_speed, "_LEAST_BATCH", 4)
    assert training_speed.speed(TINY, {"plain": {}}) == 1
    assert "no batch fits" in capsys.readouterr().out


def test_loading_and_copies(capsys):
    assert training_speed.loading(TINY) == 0
    shown = capsys.readouterr().out
    assert "loop with 8 threads" in shown
    assert shown.count("page-locked: False") == 2


def test_every_case_without_waiting_is_a_configuration():
    for groups in training_checks.CASES.values():
        config_of("cpu", 8, {"backbone": TINY.learner, **groups})
    for machine in (*training_speed.MACHINES.values(), *training_speed.COMPILED.values()):
        config_of("cpu", 8, {"machine": machine})


def test_a_step_that_waits_is_named(capsys, monkeypatch):
    def step(self, _batch):
        if self.iteration >= 5:
            raise RuntimeError("called a synchronizing CUDA operation")
        return torch.ones(())

    name = "bf16, Partial FC with sub-centres"
    cases = {name: training_checks.CASES[name]}
    assert training_checks.waiting(TINY, cases) == 0
    assert "17 steps without waiting" in capsys.readouterr().out
    monkeypatch.setattr(Training, "step", step)
    assert training_checks.waiting(TINY, cases) == 1
    assert "the host WAITS: called a synchronizing" in capsys.readouterr().out


def test_half_precision_is_close(capsys, monkeypatch):
    """In so few iterations, GradScaler still lowers its scale for fp16, and skips their steps."""
    monkeypatch.setattr(training_checks, "_GAP", 10)
    assert training_checks.precisions(TINY) == 0
    gaps = dict(re.findall(r"(\w+) is at most ([\d.]+) of the first loss", capsys.readouterr().out))
    assert set(gaps) == {"fp16", "bf16"}
    assert float(gaps["bf16"]) < 0.05
    monkeypatch.setattr(training_checks, "_GAP", -1)
    assert training_checks._compare("bf16", *[LossCurve({1: 2.0, 2: 1.0})] * 2) == 1


def test_a_resumed_run_has_the_same_losses(capsys):
    assert training_checks.resuming(TINY) == 0
    assert "differ by at most 0.00000" in capsys.readouterr().out


def test_beside_a_stand_in_for_arcface_torch(tmp_path, capsys, monkeypatch):
    for name, text in FAKE_ARCFACE_TORCH.items():
        (tmp_path / name).write_text(text)
    for name in FAKE_ARCFACE_TORCH:
        monkeypatch.delitem(sys.modules, name.removesuffix(".py"), raising=False)
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    assert training_speed.beside_arcface_torch(TINY, tmp_path) == 0
    assert "turn 2: arcface_torch" in capsys.readouterr().out


def test_two_processes_learn_as_one(capfd, monkeypatch):
    """On the CPU, where each process has its own statistics of batches, the network has no batch normalisation."""
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    command = (gpu_training.__file__, "--part", "member", "--tiny")
    assert training_checks.processes(TINY, command) == 0
    shown = capfd.readouterr().out
    assert "backend gloo" in shown
    assert "without machine.sync_batch_norm" in shown
    assert "two processes and one with the double batch: the losses differ by at most 0.0000" in shown
