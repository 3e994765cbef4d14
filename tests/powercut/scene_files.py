"""Scenes of single files: the first of each kind in a new folder, files that replace others, and deletions."""

import json
import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from app.database.engine import open_engine, sqlite_url
from app.database.file_lock import Occupancy
from app.database.master_key_file import read_master, write_master
from app.errors import NetworkCorrupt
from app.jobs.resumable_uploads import ResumableUploads, UploadLimits
from app.jobs.uploads import KEPT, Uploads
from app.recognition.collection_calibration import write_calibration
from app.transfer.backup_folder import BackupFolder
from app.transfer.zip_files import reading, writing
from app.vision.inference.downloads import Mirrors
from app.vision.inference.packs import Packs
from tests.powercut.scene import Scene, State, files_below
from tests.powercut.scene_restores import database_in, prepare_home
from tests.recognition.fakes import calibration
from tests.transfer.fakes import Recorded

_LIMITS = UploadLimits(1 << 20, 1 << 20, 10, timedelta(days=1))
_ZIP = b"photos" * 5000
_PACK = {"det.onnx": b"d" * 9000, "rec.onnx": b"r" * 9000}


def _nothing(_: Path) -> None:
    pass


# Jobs


def _uploads(root: Path) -> Uploads:
    return Uploads(root / "new" / "jobs", set)


def _resumable(root: Path) -> ResumableUploads:
    return ResumableUploads(root / "new" / "jobs" / "resumable", _LIMITS, lambda: 0)


def _first_upload(root: Path) -> None:
    _uploads(root).keep("job", _ZIP)


def _first_resumable_upload(root: Path) -> None:
    _resumable(root).create("key", len(_ZIP), "a.zip")


def _first_archive(root: Path) -> None:
    with writing(_uploads(root).archive("job")) as archive, archive.member("manifest.json") as write:
        write(_ZIP)


def _archive_state(root: Path) -> State:
    path = root / "new" / "jobs" / "job.archive"
    if not path.exists():
        return {}
    with reading(path, lambda _: True) as archive, archive.member("manifest.json") as member:
        return {"archive": member.read()}


def _place(root: Path) -> None:
    _uploads(root).place()


def _place_state(root: Path) -> State:
    path = root / "new" / "jobs" / "place"
    return {"place": path.read_text() if path.exists() else None}


def _files_of_ended_jobs(root: Path) -> None:
    for each in ("ended", "old", "new"):
        _uploads(root).keep(each, _ZIP)
        _uploads(root).is_made(each)
    folder = root / "new" / "jobs"
    for name in ("old", "new"):
        (folder / f"{name}.upload").rename(folder / f"{name}.archive")
    os.utime(folder / "old.archive", (0, KEPT.total_seconds()))


def _tidy(root: Path) -> None:
    _uploads(root).tidy()


def _whole_upload(root: Path) -> None:
    upload = _resumable(root).create(None, len(_ZIP), "a.zip")
    writer = _resumable(root).open(upload.upload_id, None, 0)
    writer.write(_ZIP)
    writer.close()


def _refuse_job(root: Path) -> None:
    """Fail to create the job of an upload, which then waits for the next attempt."""
    (path,) = (root / "new" / "jobs" / "resumable").glob("*.part")
    with suppress(KeyError), _resumable(root).taking(path.stem, None) as taken, _uploads(root).adopting("job", taken):
        raise KeyError


def _upload_state(root: Path) -> State:
    return {"uploads": [path.read_bytes() for path in (root / "new" / "jobs").glob("*.upload")]}


def _resumable_state(root: Path) -> State:
    """Start as a service does, which deletes the files of jobs that were never created."""
    _uploads(root).tidy()
    return files_below(root)


# Other files


def _old_calibration(root: Path) -> None:
    _calibrate(root, 0.3)


def _calibrate(root: Path, start: float = 0.4) -> None:
    write_calibration(calibration(start=start), root / "calibrations" / "people" / "abc.json")


def _calibration_state(root: Path) -> State:
    path = root / "calibrations" / "people" / "abc.json"
    return {"calibration": json.loads(path.read_bytes()) if path.exists() else None}


def _packs(root: Path) -> Packs:
    return Packs(root / "shipped", root / "new" / "models", Mirrors("", ""), is_private=True)


def _pull(root: Path) -> None:
    _packs(root)._install("pack", _PACK)


def _pack_state(root: Path) -> State:
    """A network is missing or whole under its name; one that is not is `damaged`."""
    folder = root / "new" / "models" / "pack"
    record: dict[str, str] = {}
    with suppress(NetworkCorrupt):
        record = _packs(root)._record(folder)
    files = {name: (folder / name).read_bytes() if (folder / name).exists() else None for name in _PACK}
    return {**files, "record": record}


def _checkpoint(root: Path, step: int = 2) -> None:
    import torch  # noqa: PLC0415 - only this scene needs it

    from app.training.checkpoint import LAST, save  # noqa: PLC0415

    save({"backbone": torch.full((9000,), step), "step": step}, root / LAST)


def _old_checkpoint(root: Path) -> None:
    _checkpoint(root, 1)


def _checkpoint_state(root: Path) -> State:
    from app.training.checkpoint import LAST, load  # noqa: PLC0415

    state = load(root / LAST)
    return {"checkpoint": (state["step"], state["backbone"].tolist())}


def _master(root: Path) -> None:
    write_master(root / "master.key")


def _master_state(root: Path) -> State:
    path = root / "master.key"
    return {"key": read_master(path).fingerprint if path.exists() else None}


def _database(root: Path) -> None:
    engine = open_engine(sqlite_url(root / "new" / "folder" / "a.db"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE a (b INTEGER)"))
    engine.dispose()


def _occupied(root: Path) -> None:
    held = Occupancy.alone(root / "new" / "folder" / "a.db")
    _database(root)
    held.release()


def _database_state(root: Path) -> State:
    path = root / "new" / "folder" / "a.db"
    if not path.exists():
        return {"tables": []}
    with open_engine(sqlite_url(path)).connect() as connection:
        return {"tables": list(connection.scalars(text("SELECT name FROM sqlite_master")))}


def _with_backup(root: Path) -> None:
    prepare_home(root)
    _back_up(root, "arcid-20260101T000000Z.backup")


def _back_up(root: Path, name: str = "arcid-20260202T000000Z.backup") -> None:
    with database_in(root) as opened:
        BackupFolder(opened, root / "data", root / "backups", keep=1).write(name, Recorded())


def _backup_state(root: Path) -> State:
    with database_in(root) as opened:
        return {each.name: each.size for each in BackupFolder(opened, root, root / "backups", keep=1).all()}


FILES = {
    "the first upload of a job": Scene(_nothing, _first_upload, _upload_state, is_scrap=True),
    "the first resumable upload": Scene(_nothing, _first_resumable_upload, files_below, is_scrap=True),
    "the first archive": Scene(_nothing, _first_archive, _archive_state),
    "the id of the data folder": Scene(_nothing, _place, _place_state),
    "the deletion of an ended job's files": Scene(_files_of_ended_jobs, _tidy, files_below),
    "an upload whose job is refused": Scene(_whole_upload, _refuse_job, _resumable_state),
    "the first calibration": Scene(_nothing, _calibrate, _calibration_state),
    "a new calibration": Scene(_old_calibration, _calibrate, _calibration_state),
    "a pull of networks": Scene(_nothing, _pull, _pack_state),
    "a checkpoint of a training run": Scene(_old_checkpoint, _checkpoint, _checkpoint_state, needs="torch"),
    "a master key": Scene(_nothing, _master, _master_state),
    "a database in a new folder": Scene(_nothing, _database, _database_state),
    "a database in a new folder that is locked first": Scene(_nothing, _occupied, _database_state),
    "a backup that replaces another": Scene(_with_backup, _back_up, _backup_state),
}
