"""benchmarks/gpu.py without a GPU: its exit status, its plan, its limits and its report."""

import subprocess
import sys

import gpu
import pytest
import steps

from app.config import PROJECT
from app.types import IndexKind

QUICK = (sys.executable, "-c", "")
SLOW = (sys.executable, "-c", "import time; time.sleep(30)")


@pytest.mark.skipif(gpu.obstacle_of_machine() is None, reason="this machine has a GPU")
def test_without_a_gpu_nothing_runs_and_the_reason_is_named():
    script = str(PROJECT / "benchmarks" / "gpu.py")
    done = subprocess.run([sys.executable, script], check=False, capture_output=True, text=True)
    assert done.returncode == steps.NO_GPU
    assert "no usable NVIDIA GPU, so nothing ran" in done.stderr
    assert "==" not in done.stdout


def test_each_step_ends_in_a_word_and_a_reason():
    planned = [
        steps.Step("works", QUICK, 20),
        steps.Step("breaks", (sys.executable, "-c", "raise SystemExit(3)"), 20),
        steps.Step("hangs", SLOW, 0.2),
        steps.Step("is no program", ("/no/such/program",), 20),
        steps.Step("cannot", QUICK, 20, lambda: "no docker"),
    ]
    outcomes = steps.run_all(planned, budget=60)
    assert [(each.word, each.reason) for each in outcomes[:3]] == [
        ("passed", ""),
        ("FAILED", "exit status 3"),
        ("FAILED", "not finished after 0 seconds"),
    ]
    assert outcomes[3].word == "FAILED"
    assert (outcomes[4].word, outcomes[4].reason) == ("skipped", "no docker")


def test_a_step_that_no_longer_fits_is_skipped():
    planned = [steps.Step("hangs", SLOW, 1), steps.Step("late", QUICK, 60)]
    assert [each.word for each in steps.run_all(planned, budget=1.2)] == ["FAILED", "skipped"]


def test_ten_minutes_are_enough():
    assert steps.BUDGET < 600
    assert all(step.limit <= 300 for step in gpu.steps())


@pytest.mark.parametrize(("ratio", "status"), [(8.0, 0), (7.9, 1)])
def test_the_goal_can_be_missed(ratio, status, capsys):
    assert gpu.verdict(ratio) == status
    assert ("MISSED" in capsys.readouterr().out) == bool(status)


def test_two_exact_indexes_find_the_same():
    assert gpu.search(500, (IndexKind.EXACT, IndexKind.AUTO)) == 0
