"""Losses of a simulated disk."""

from dataclasses import replace
from itertools import count

import pytest

from tests.powercut.disk import Disk
from tests.powercut.recorder import Operation, Record, Start

ROOT, FOLDER, FILE, OTHER = 1, 2, 3, 4
OLD, NEW = b"o" * 8192, b"n" * 8192
SEEDS = range(300)


def record(operation, path="", *, inode=0, path2="", offset=0, data=b""):
    return Record(operation, inode, offset, path, path2, data)


def create(path, inode):
    return record(Operation.CREATE, path, inode=inode)


def write(inode, data, offset=0):
    return record(Operation.WRITE, inode=inode, offset=offset, data=data)


def sync(inode):
    return record(Operation.SYNC, inode=inode)


@pytest.fixture
def outcomes(tmp_path):
    """All disks that a cut after some records can leave, by many seeds: a set of {path: content}."""
    numbers = count()

    def outcomes(*records, files=None):
        disk = Disk(Start({"": ROOT, "folder": FOLDER}, files or {}))
        for each in records:
            disk.apply(each)
        found = set()
        for seed in SEEDS:
            folder = tmp_path / str(next(numbers))
            disk.cut(folder, seed)
            files_left = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
            found.add(frozenset(files_left.items()))
        return [dict(each) for each in found]

    return outcomes


def test_what_was_synced_is_there(outcomes):
    assert outcomes(create("a", FILE), write(FILE, NEW), sync(FILE), sync(ROOT)) == [{"a": NEW}]


def test_a_name_without_a_sync_of_its_folder_may_be_lost(outcomes):
    found = outcomes(create("a", FILE), write(FILE, NEW), sync(FILE))
    assert sorted(map(len, found)) == [0, 1]


def test_bytes_without_a_sync_may_be_lost_torn_or_zero(outcomes):
    contents = {each["a"] for each in outcomes(create("a", FILE), sync(ROOT), write(FILE, NEW))}
    assert {b"", NEW} < contents
    assert any(b"\0" in each and b"n" in each for each in contents)
    assert all(each[at : at + 512] in {b"\0" * 512, b"n" * 512, b""} for each in contents for at in range(0, 8192, 512))


def test_unsynced_writes_may_reach_the_disk_in_another_order(outcomes):
    old = {"a": (FILE, OLD)}
    contents = {each["a"] for each in outcomes(write(FILE, b"1" * 4096), write(FILE, b"2" * 4096, 4096), files=old)}
    assert {OLD, b"1" * 4096 + OLD[4096:], OLD[:4096] + b"2" * 4096} < contents


def test_a_rename_may_come_before_the_bytes(outcomes):
    steps = create("new", OTHER), write(OTHER, NEW), record(Operation.RENAME, "new", path2="a"), sync(ROOT)
    contents = {each["a"] for each in outcomes(*steps, files={"a": (FILE, OLD)})}
    assert {b"", NEW} < contents
    assert OLD not in contents


def test_a_rename_is_one_step(outcomes):
    steps = create("new", OTHER), write(OTHER, NEW), sync(OTHER), record(Operation.RENAME, "new", path2="a")
    found = outcomes(*steps, files={"a": (FILE, OLD)})
    assert {"a": OLD} in found
    assert {"a": NEW} in found
    assert all(each["a"] in {OLD, NEW} and (each["a"] == OLD or len(each) == 1) for each in found)


def test_a_deleted_file_may_come_back_until_its_folder_is_synced(outcomes):
    old = {"a": (FILE, OLD)}
    assert {"a": OLD} in outcomes(record(Operation.UNLINK, "a"), files=old)
    assert outcomes(record(Operation.UNLINK, "a"), sync(ROOT), files=old) == [{}]


def test_a_new_folder_may_be_lost_with_what_was_synced_in_it(outcomes):
    steps = record(Operation.MKDIR, "new", inode=9), create("new/a", FILE), write(FILE, NEW), sync(FILE), sync(9)
    assert sorted(map(len, outcomes(*steps))) == [0, 1]
    assert outcomes(*steps, sync(ROOT)) == [{"new/a": NEW}]


def test_a_truncation_may_be_lost(outcomes):
    contents = {each["a"] for each in outcomes(record(Operation.TRUNCATE, inode=FILE), files={"a": (FILE, OLD)})}
    assert contents == {b"", OLD}


def test_files_with_two_names_stay_one_file(tmp_path):
    disk = Disk(Start({"": ROOT}, {"a": (FILE, OLD)}))
    for each in (record(Operation.LINK, inode=FILE, path2="b"), sync(ROOT)):
        disk.apply(each)
    disk.cut(tmp_path / "cut", 1)
    assert (tmp_path / "cut" / "a").samefile(tmp_path / "cut" / "b")


def test_a_new_file_may_have_the_inode_of_a_deleted_folder(outcomes):
    steps = record(Operation.MKDIR, "new", inode=9), sync(ROOT), record(Operation.UNLINK, "new"), create("a", 9)
    assert outcomes(*steps, write(9, NEW), sync(9), sync(ROOT)) == [{"a": NEW}]


def test_a_journaled_disk_keeps_the_name_of_a_synced_file(tmp_path):
    for journaled, names in ((None, [[], ["a"]]), ("folder", [["a"]])):
        disk = Disk(Start({"": ROOT, "folder": FOLDER}, {}), journaled)
        for each in (create("folder/a", FILE), replace(sync(FILE), path="folder/a")):
            disk.apply(each)
        found = []
        for seed in range(20):
            disk.cut(tmp_path / f"{journaled}{seed}", seed)
            found.append([each.name for each in (tmp_path / f"{journaled}{seed}" / "folder").iterdir()])
        assert sorted({tuple(each) for each in found}) == [tuple(each) for each in names]


def test_one_seed_gives_one_disk(tmp_path):
    disk = Disk(Start({"": ROOT}, {}))
    for each in (create("a", FILE), write(FILE, NEW)):
        disk.apply(each)
    for name in ("first", "second"):
        disk.cut(tmp_path / name, 7)
    files = [sorted((p.name, p.read_bytes()) for p in (tmp_path / name).iterdir()) for name in ("first", "second")]
    assert files[0] == files[1]
