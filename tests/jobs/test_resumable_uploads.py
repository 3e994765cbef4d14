"""Resumable uploads as files: owners, offsets, limits, expiry, and a writer that is killed."""

import os
import signal
import stat
import subprocess
import sys
from datetime import timedelta

import pytest

from app.errors import (
    Overloaded,
    StorageNotWritable,
    UploadConflict,
    UploadTooLarge,
    UploadUnfinished,
    UploadUnknown,
)
from app.jobs import resumable_uploads
from app.jobs.resumable_uploads import ResumableUploads, UploadLimits
from tests.jobs.conftest import eventually


def uploads_in(folder, *, taken=0, most=100, together=150, count=3, kept=timedelta(hours=1)):
    return ResumableUploads(folder / "resumable", UploadLimits(most, together, count, kept), lambda: taken)


def append(uploads, upload, data, offset=0, owner="key"):
    writer = uploads.open(upload.upload_id, owner, offset)
    try:
        writer.write(data)
    finally:
        writer.close()


def test_parts_add_up_and_a_job_takes_the_file(tmp_path):
    uploads = uploads_in(tmp_path)
    upload = uploads.create("key", 10, "filename c3RhZmY=")
    assert (upload.offset, upload.length, upload.metadata) == (0, 10, "filename c3RhZmY=")
    append(uploads, upload, b"01234")
    with pytest.raises(UploadUnfinished, match="5 of 10"), uploads.taking(upload.upload_id, "key"):
        pass
    append(uploads_in(tmp_path), upload, b"56789", 5)  # after a restart
    assert uploads.get(upload.upload_id, "key").offset == 10
    with pytest.raises(KeyError), uploads.taking(upload.upload_id, "key"):
        raise KeyError
    with uploads.taking(upload.upload_id, "key") as path:
        assert path.read_bytes() == b"0123456789"
        path.rename(tmp_path / "taken")
    with pytest.raises(UploadUnknown):
        uploads.get(upload.upload_id, "key")
    assert list((tmp_path / "resumable").iterdir()) == []


def test_files_are_private(tmp_path):
    uploads = uploads_in(tmp_path)
    uploads.create("key", 10, "")
    folder = tmp_path / "resumable"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o600}


def test_an_upload_is_its_owner_s(tmp_path):
    uploads = uploads_in(tmp_path)
    upload = uploads.create("key", 10, "")
    for upload_id, owner in ((upload.upload_id, "other"), (upload.upload_id, None), ("../x", "key"), ("0" * 32, "key")):
        with pytest.raises(UploadUnknown):
            uploads.get(upload_id, owner)
        with pytest.raises(UploadUnknown):
            uploads.open(upload_id, owner, 0)
        with pytest.raises(UploadUnknown):
            uploads.delete(upload_id, owner)
    uploads.delete(upload.upload_id, "key")
    with pytest.raises(UploadUnknown):
        uploads.get(upload.upload_id, "key")


def test_a_part_has_the_offset_and_the_upload_for_itself(tmp_path):
    uploads = uploads_in(tmp_path)
    upload = uploads.create("key", 10, "")
    append(uploads, upload, b"012")
    with pytest.raises(UploadConflict, match="has 3 bytes"):
        append(uploads, upload, b"012")
    writer = uploads.open(upload.upload_id, "key", 3)
    with pytest.raises(UploadConflict, match="another request"):
        uploads.open(upload.upload_id, "key", 3)
    with pytest.raises(UploadTooLarge):
        writer.write(b"34567890")
    writer.close()
    assert uploads.get(upload.upload_id, "key").offset == 3


def test_limits(tmp_path, monkeypatch):
    uploads = uploads_in(tmp_path)
    with pytest.raises(UploadTooLarge):
        uploads.create("key", 101, "")
    uploads.create("key", 90, "")
    with pytest.raises(Overloaded, match="150"):
        uploads.create("key", 61, "")
    with pytest.raises(Overloaded, match="150"):
        uploads_in(tmp_path, taken=50).create("key", 11, "")
    uploads.create("key", 0, "")
    uploads.create("key", 0, "")
    with pytest.raises(Overloaded, match="3 uploads are open"):
        uploads.create("key", 0, "")
    monkeypatch.setattr(resumable_uploads, "_KEPT_FREE", 1 << 62)
    with pytest.raises(StorageNotWritable):
        uploads_in(tmp_path, count=9).create("key", 1, "")


def test_an_upload_expires(tmp_path):
    uploads = uploads_in(tmp_path)
    upload, kept = uploads.create("key", 10, ""), uploads.create("key", 10, "")
    long_ago = upload.expires_at.timestamp() - 10_000
    for each in (tmp_path / "resumable").iterdir():
        os.utime(each, (long_ago, long_ago))
    with pytest.raises(UploadUnknown):
        uploads.get(upload.upload_id, "key")
    os.utime(tmp_path / "resumable" / f"{kept.upload_id}.part")  # a part arrived; its other file is old
    uploads.tidy()
    assert {each.stem for each in (tmp_path / "resumable").iterdir()} == {kept.upload_id}
    assert uploads.get(kept.upload_id, "key").offset == 0


WRITER = """
import sys
from datetime import timedelta
from pathlib import Path
from app.jobs.resumable_uploads import ResumableUploads, UploadLimits
uploads = ResumableUploads(Path(sys.argv[1]), UploadLimits(10**9, 10**9, 9, timedelta(hours=1)), lambda: 0)
upload = uploads.create("key", 10**9, "")
print(upload.upload_id, flush=True)
offset = 0
while True:
    writer = uploads.open(upload.upload_id, "key", offset)
    writer.write(offset.to_bytes(8, "big") * 8192)
    writer.close()
    offset = writer.offset
    print(offset, flush=True)
"""


def test_a_killed_process_loses_no_acknowledged_byte(tmp_path):
    folder = tmp_path / "resumable"
    with subprocess.Popen([sys.executable, "-c", WRITER, folder], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        upload_id = process.stdout.readline().strip()
        eventually(lambda: (folder / f"{upload_id}.part").stat().st_size > 1_000_000)
        process.send_signal(signal.SIGKILL)
        acknowledged = int(process.stdout.read().split()[-1])
    found = uploads_in(tmp_path, most=10**9).get(upload_id, "key")
    assert found.offset >= acknowledged > 0
    data = (folder / f"{upload_id}.part").read_bytes()
    for offset in range(0, acknowledged, 65_536):
        assert data[offset : offset + 65_536] == offset.to_bytes(8, "big") * 8192
    uploads_in(tmp_path, most=10**9).open(upload_id, "key", found.offset).close()  # the lock died with the process
