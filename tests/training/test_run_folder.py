import errno
import json
import resource
from pathlib import Path

import pytest
import torch

from app.errors import StorageNotWritable
from app.training import checkpoint
from app.training.callbacks import MetricsLog
from app.training.run_folder import make_run_folder, storage_errors, write_whole
from tests.training.test_callbacks import progress


@pytest.fixture
def full_disk():
    """Files cannot grow beyond 100 kB, which fails as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(StorageNotWritable, match=f"^{folder} cannot be written: "):
            make_run_folder(folder)
    make_run_folder(tmp_path / "a" / "b")
    make_run_folder(tmp_path / "a" / "b")


def test_a_folder_in_which_no_file_can_be_written_is_a_sentence():
    folder = Path("/proc")
    if not folder.is_dir():
        pytest.skip("only Linux has /proc")
    with pytest.raises(StorageNotWritable, match=r"^/proc cannot be written: "):
        make_run_folder(folder)


def test_a_missing_permission_is_named_once():
    with pytest.raises(StorageNotWritable) as raised, storage_errors(Path("/x")):
        raise PermissionError(errno.EACCES, "Permission denied")
    assert str(raised.value) == "/x cannot be written: make its folder writable for the user that runs this"


def test_a_full_disk_leaves_no_part_of_a_cached_file(full_disk, tmp_path):
    file = tmp_path / "cache" / "ab.f32"
    with pytest.raises(StorageNotWritable, match=f"^{file} cannot be written: "):
        write_whole(bytes(200_000), file)
    assert not list(file.parent.iterdir())
    write_whole(b"x", file)
    write_whole(b"yy", file)
    assert [(each.name, each.read_bytes()) for each in file.parent.iterdir()] == [(file.name, b"yy")]


def test_a_full_disk_keeps_the_last_checkpoint(full_disk, tmp_path):
    small = {"backbone": torch.zeros(10)}
    checkpoint.save(small, tmp_path / "last.pt")
    with pytest.raises(StorageNotWritable, match=r"last\.pt cannot be written: file too large"):
        checkpoint.save({"backbone": torch.zeros(100_000)}, tmp_path / "last.pt")
    assert torch.equal(checkpoint.load(tmp_path / "last.pt")["backbone"], small["backbone"])
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


def test_metrics_on_a_full_disk_are_a_sentence(full_disk, tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_text(json.dumps({"iteration": 1, "text": "x" * 99_900}) + "\n")
    log = MetricsLog(file, first=1)
    with pytest.raises(StorageNotWritable, match=r"metrics\.jsonl cannot be written"):
        log.on_step(progress(10))
    with pytest.raises(StorageNotWritable):
        log.close()
