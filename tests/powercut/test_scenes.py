"""Single changes of files that lose their power: restores, calibrations, uploads, keys.

`benchmarks/power_cuts.py --scenes 20` cuts them after each record; `--remove-each` removes each durable call.
"""

import shutil

import pytest

from tests.powercut.scene import record_scenes
from tests.powercut.scenes import SCENES

CUTS = 12


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Recordings of all scenes, by name."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler; run: .ci/install cc")
    return record_scenes(SCENES, tmp_path_factory.mktemp("scenes"))


@pytest.mark.parametrize("name", SCENES)
def test_a_power_cut_leaves_the_old_or_the_new(recorded, tmp_path, name):
    if not SCENES[name].is_possible():
        pytest.skip("PyTorch is not installed; run: make test TORCH=torch")
    assert [each for each in recorded[name].cuts(tmp_path / "cut", CUTS, seed=1) if each.violations] == []
