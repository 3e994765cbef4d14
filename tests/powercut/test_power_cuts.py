"""A service that loses its power: real requests are recorded, and each cut of them is restarted.

`benchmarks/power_cuts.py` makes a thousand cuts of longer recordings.
"""

import re
import shutil

import pytest

from tests.powercut.cuts import Recorded, cut
from tests.powercut.forgetting import FORGETTABLE, forgets, unlisted
from tests.powercut.recovery import restarting
from tests.powercut.workload import record

CUTS = 30
_MOST_CUTS = 40  # until a forgotten sync is caught; most are caught by the first five
SCRATCH = re.compile(r"backups/\.backup-[^/]*(/.*)?|arcid\.db-journal")
"""Syncs that nothing needs: of a backup's copy, and of the journal of an empty database."""


@pytest.fixture(scope="module")
def recorded(packs, faces_of, tmp_path_factory):
    """A recording of every kind of write."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler; run: .ci/install cc")
    for pack in ("open", "arcface-mobilefacenet"):
        if not all(packs.has(each) for each in packs.required_by(pack)):
            pytest.skip(f"the pack {pack} is not pulled; run: arcid models pull {pack}")
    return Recorded.of(record(tmp_path_factory.mktemp("recording"), faces_of, seed=1, steps=16))


@pytest.fixture(scope="module")
def restarts(tmp_path_factory):
    with restarting(tmp_path_factory.mktemp("first") / "data") as restarts:
        yield restarts


def test_a_power_cut_loses_nothing_that_was_answered(recorded, restarts, tmp_path):
    cuts = list(cut(recorded, restarts, tmp_path / "data", CUTS, seed=1))
    assert [each for each in cuts if each.violations] == []
    assert len({each.step for each in cuts}) > CUTS / 5


@pytest.mark.parametrize("name", FORGETTABLE)
def test_a_forgotten_sync_is_caught(recorded, restarts, tmp_path, name):
    forget = forgets(FORGETTABLE[name], recorded.records)
    cuts = cut(recorded, restarts, tmp_path / "data", _MOST_CUTS, seed=1, forget=forget)
    assert any(each.violations for each in cuts)


def test_every_kind_of_sync_is_forgotten_once(recorded):
    assert {path for path in unlisted(recorded.records) if not SCRATCH.fullmatch(path)} == set()
