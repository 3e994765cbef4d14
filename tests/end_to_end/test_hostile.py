"""benchmarks/hostile.py with fewer requests: it starts and attacks a service, and reports violations."""

import os
import subprocess
import sys

import pytest

from app.config import PROJECT

COUNT = "300"  # of 10,000: python benchmarks/hostile.py, which also sends bombs and a crowd for minutes


@pytest.mark.parametrize("attack", ["damaged", "slow"])
def test_the_service_stays_up_whatever_is_sent(settings, attack):
    variables = {"PYTHONPATH": str(PROJECT), "ARCID_MODELS_DIR": str(settings.models_dir)}
    done = subprocess.run(
        [sys.executable, str(PROJECT / "benchmarks" / "hostile.py"), "--only", attack, "--count", COUNT],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
