"""Where tests keep files: in memory if possible, on a disk, or on small disks that they fill (mounted by root)."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

DISK = Path("/var/tmp")  # noqa: S108 - tests create their own folders
"""Folder for files that must reach a disk."""
_MEMORY = Path("/dev/shm")  # noqa: S108 - likewise
_NEEDED_BYTES = 2 << 30


def pytest_configure():
    """Keep temporary files in memory if it has room for them, unless TMPDIR names a folder."""
    if "TMPDIR" not in os.environ and _is_usable(_MEMORY):
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None  # read the variable again


def _is_usable(folder: Path) -> bool:
    """Report whether a folder has room and allows programs to run."""
    if not os.access(folder, os.W_OK):
        return False
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize >= _NEEDED_BYTES and not state.f_flag & os.ST_NOEXEC


@pytest.fixture
def disk(tmp_path):
    """Mount a file system of some megabytes: disk(8) is its folder."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system; run the tests as root")
    mounted: list[os.PathLike[str]] = []

    def mount(megabytes):
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        command = ["/bin/mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {done.stderr}")
        mounted.append(folder)
        return folder

    yield mount
    for each in mounted:
        subprocess.run(["/bin/umount", "--lazy", each], check=True)


def fill(folder):
    """Fill a disk to its last byte; the file that does it is to be deleted."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return ballast
