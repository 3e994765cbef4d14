import os
import subprocess
import sys

import pytest

from app.disk import delete, delete_tree, lock, make_folder, open_to_lock, rename, sync_folder, sync_tree

HOLD = """
import sys, time
from pathlib import Path
from app.disk import lock, open_to_lock
lock(open_to_lock(Path(sys.argv[1])))
print("locked", flush=True)
time.sleep(60)
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.touch()
    return path


@pytest.fixture
def descriptors():
    """A function that opens a path, for the length of the test."""
    opened = []

    def open_(path):
        opened.append(open_to_lock(path))
        return opened[-1]

    yield open_
    for each in opened:
        os.close(each)


def test_an_exclusive_lock_excludes_all_others(file, descriptors):
    lock(descriptors(file))
    for is_shared in (True, False):
        with pytest.raises(BlockingIOError):
            lock(descriptors(file), is_shared=is_shared, is_waiting=False)


def test_shared_locks_exclude_exclusive_ones_only(file, descriptors):
    lock(descriptors(file), is_shared=True, is_waiting=False)
    lock(descriptors(file), is_shared=True, is_waiting=False)
    with pytest.raises(BlockingIOError):
        lock(descriptors(file), is_waiting=False)


def test_a_lock_ends_with_the_last_copy_of_its_descriptor(file, descriptors):
    first = open_to_lock(file)
    lock(first)
    copy = os.dup(first)
    os.close(first)
    with pytest.raises(BlockingIOError):
        lock(descriptors(file), is_waiting=False)
    os.close(copy)
    lock(descriptors(file), is_waiting=False)


def test_a_lock_of_a_folder_ends_when_its_process_is_killed(tmp_path, descriptors):
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(BlockingIOError):
            lock(descriptors(tmp_path), is_waiting=False)
        holder.kill()
        holder.wait()
    lock(descriptors(tmp_path), is_waiting=False)


def test_a_descriptor_that_cannot_be_locked_is_an_error(file):
    descriptor = open_to_lock(file)
    os.close(descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        lock(descriptor)


def test_a_link_is_not_opened(tmp_path, file):
    (tmp_path / "link").symlink_to(file)
    with pytest.raises(OSError, match=r"link|symbolic"):
        open_to_lock(tmp_path / "link")


def test_a_folder_is_synchronised(tmp_path):
    sync_folder(tmp_path)


@pytest.fixture
def synced(monkeypatch):
    """The files and folders that were synced; fsync itself is too slow to be part of most tests."""
    inodes = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: inodes.append(os.fstat(descriptor).st_ino))
    return lambda *paths: all(path.stat().st_ino in inodes for path in paths)


def test_a_new_folder_and_its_new_parents_are_synced(tmp_path, synced):
    made = tmp_path / "a" / "b"
    make_folder(made, 0o700)
    assert made.stat().st_mode & 0o777 == 0o700
    assert synced(tmp_path, tmp_path / "a")
    make_folder(made)
    assert made.stat().st_mode & 0o777 == 0o700


def test_a_rename_is_synced_in_both_folders(tmp_path, synced, file):
    target = tmp_path / "a" / "file"
    target.parent.mkdir()
    target.write_text("previous")
    rename(file, target)
    assert target.read_text() == ""
    assert not file.exists()
    assert synced(tmp_path, target.parent)


def test_a_deletion_is_synced(tmp_path, synced, file):
    delete(file)
    assert not file.exists()
    assert synced(tmp_path)
    delete(file)
    folder = tmp_path / "a"
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "file").touch()
    delete_tree(folder)
    assert not folder.exists()
    delete_tree(folder)


def test_a_deletion_of_nothing_syncs_nothing(tmp_path, synced):
    delete(tmp_path / "missing")
    delete_tree(tmp_path / "missing")
    assert not synced(tmp_path)


def test_everything_in_a_folder_is_synced(tmp_path, synced, file):
    (tmp_path / "a").mkdir()
    other = tmp_path / "a" / "file"
    other.touch()
    sync_tree(tmp_path)
    assert synced(tmp_path, tmp_path / "a", file, other)
