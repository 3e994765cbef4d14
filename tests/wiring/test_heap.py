import sys
from pathlib import Path

import pytest

from app.wiring.heap import HeapTrimmer

_BLOCK, _BLOCKS = 4096, 20_000


def resident_mib() -> float:
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_is_freed_below_a_used_block_goes_back_to_the_system():
    trimmer = HeapTrimmer()
    if trimmer._trim is None:
        pytest.skip("the C library is not glibc")
    blocks = [bytearray(_BLOCK) for _ in range(_BLOCKS)]
    kept = blocks[-1]
    full = resident_mib()
    del blocks
    assert resident_mib() > 0.9 * full
    trimmer.step()
    assert resident_mib() < full - 0.8 * _BLOCK * _BLOCKS / 2**20
    assert len(kept) == _BLOCK


def test_another_library_has_nothing_to_trim(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    HeapTrimmer().step()
