"""A service that loses its power: real requests are recorded, and each cut of them is restarted.

`benchmarks/power_cuts.py` makes a thousand cuts of longer recordings.
"""

import re
import shutil

import pytest

from tests.powercut.cuts import Recorded, cut
from tests.powercut.databases import PostgreSQL, open_folder
from tests.powercut.forgetting import FORGETTABLE, forgets, unlisted
from tests.powercut.recovery import restarting
from tests.powercut.workload import record, record_on_postgresql

CUTS, SERVER_CUTS = 30, 6
_MOST_CUTS = 40  # until a forgotten sync is caught; most are caught by the first five
SCRATCH = re.compile(r"|data/backups/\.backup-[^/]*(/.*)?|data/arcid\.db-journal")
"""Syncs that nothing needs: of the folder above the data folder, a backup's copy, and an empty database's journal."""


@pytest.fixture(scope="module")
def recordable(packs):
    """Skip without what a recording needs."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler; run: .ci/install cc")
    for pack in ("open", "arcface-mobilefacenet"):
        if not all(packs.has(each) for each in packs.required_by(pack)):
            pytest.skip(f"the pack {pack} is not pulled; run: arcid models pull {pack}")


@pytest.fixture(scope="module")
def recorded(recordable, faces_of, tmp_path_factory):
    """A recording of every kind of write."""
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


@pytest.mark.parametrize(("options", "is_durable"), [("", True), ("-c synchronous_commit=off", False)])
def test_postgresql_loses_nothing_with_its_durable_settings_only(recordable, faces_of, tmp_path, options, is_durable):
    with open_folder() as folder, open_folder() as sockets:
        recorded = Recorded.of(record_on_postgresql(folder / "all", faces_of, seed=1, steps=8, options=options))
        with restarting(tmp_path / "first", PostgreSQL(sockets)) as restarts:
            cuts = cut(recorded, restarts, folder / "cut", SERVER_CUTS if is_durable else _MOST_CUTS, seed=1)
            found = next((each for each in cuts if each.violations), None)
    assert (found is None) == is_durable, found


def test_every_kind_of_sync_is_forgotten_once(recorded):
    assert {path for path in unlisted(recorded.records) if not SCRATCH.fullmatch(path)} == set()
