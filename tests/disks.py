"""Disks of a few megabytes for tests that fill them; only root may mount them."""

import os
import subprocess

import pytest


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
