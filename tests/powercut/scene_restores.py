"""Scenes of restores of a backup: cut, kept, continued after a cut, and undone after an error."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest

from app.access.trail import Trail
from app.database import sqlite_files
from app.database.connection import Database
from app.database.engine import sqlite_url
from app.errors import FileUnusable
from app.gallery.store.identities import IdentityStore
from app.transfer.backup import back_up
from app.transfer.restore import Restore
from tests.databases import MIGRATIONS, migrate
from tests.powercut.databases import DATA
from tests.powercut.scene import Scene, State, files_below
from tests.transfer.fakes import Recorded, fill

_CALIBRATION = Path("calibrations", "people", "abc-plain.json")
_BACKUP = "b.arcid"
_GARBAGE = b"no database" * 1000


def prepare_home(root: Path) -> None:
    """Make a data folder with more than its backup has."""
    home = root / DATA
    (home / _CALIBRATION).parent.mkdir(parents=True)
    (home / _CALIBRATION).write_text("old")
    (home / "index" / "old").mkdir(parents=True)
    (home / "index" / "old" / "a.segment").write_bytes(b"vectors")
    migrate(sqlite_url(home / "arcid.db"))
    with database_in(home.parent) as opened:
        fill(opened.engine)
        back_up(opened, home, root / _BACKUP, Recorded())
        IdentityStore(opened.engine).remove_identity(IdentityStore(opened.engine).collection("people"), "p1-0")
        fill(opened.engine, "later", seed=1)
    (home / _CALIBRATION).write_text("later")
    (home / _CALIBRATION.with_name("later.json")).write_text("later")


def _restore(root: Path, *, is_old_kept: bool = False) -> None:
    _restore_of(root / DATA).run(root / _BACKUP, Recorded(), is_old_kept=is_old_kept)


def _keep(root: Path) -> None:
    _restore(root, is_old_kept=True)


def _state(root: Path) -> State:
    """Start as a service does, and return everything as one: a restore is one step."""
    home = root / DATA
    _restore_of(home).finish()
    if not (home / "arcid.db").exists():
        return {"all": None}
    with database_in(home.parent) as opened:
        opened.schema.require_current()
        store = IdentityStore(opened.engine)
        collections = [(each.name, each.faces, store.face_count(each)) for each in store.collections()]
        assert not Trail(opened.engine).verify().breaks
    sqlite_files.check(home / "arcid.db")
    kept = [sqlite3.connect(each).execute("SELECT count(*) FROM faces").fetchone() for each in _kept(home)]
    leftovers = sorted(each.name for each in home.iterdir() if ".restor" in each.name)
    calibrations = files_below(home / "calibrations")
    return {"all": (collections, calibrations), "leftovers": leftovers, "kept": kept}


def _kept(home: Path) -> list[Path]:
    return [each for each in home.glob("arcid.db.before-restore-*") if each.suffix not in {"-wal", "-shm"}]


def _into_nothing(root: Path) -> None:
    prepare_home(root)
    for path in (root / DATA).rglob("*"):
        if path.is_file():
            path.unlink()


def _interrupted(root: Path) -> None:
    """Leave a restore where its process was killed during the replacement."""
    prepare_home(root)
    if (child := os.fork()) == 0:
        sqlite_files.keep = lambda *_: os._exit(0)  # the last step but one
        _keep(root)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _begun(root: Path) -> None:
    """Leave a restore where its process was killed before the replacement."""
    prepare_home(root)
    if (child := os.fork()) == 0:
        sqlite_files.replace = lambda *_: os._exit(0)
        _restore(root)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _finish(root: Path) -> None:
    _restore_of(root / DATA).finish()


def _fail(root: Path) -> None:
    """Restore, and fail at the calibrations, as on a full disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.transfer.restore.shutil.copytree", _full)
        with suppress(FileUnusable):
            _restore(root)


def _full(*_: object) -> None:
    raise OSError(28, "no space left on device")


def _damaged(root: Path) -> None:
    """Make a data folder whose database is garbage, and a file next to it that SQLite leaves alone."""
    prepare_home(root)
    for name in ("arcid.db", "arcid.db-shm"):
        (root / DATA / name).write_bytes(_GARBAGE + name.encode())


def _raw_state(root: Path) -> State:
    home = root / DATA
    _restore_of(home).finish()
    content = (home / "arcid.db").read_bytes()
    if not content.startswith(_GARBAGE):
        return _state(root)
    beside = (home / "arcid.db-shm").read_bytes()
    leftovers = sorted(each.name for each in home.iterdir() if ".restor" in each.name)
    return {"all": ((content, beside), files_below(home / "calibrations")), "leftovers": leftovers, "kept": []}


def _restore_of(home: Path) -> Restore:
    return Restore(home / "arcid.db", home, MIGRATIONS)


def database_in(root: Path) -> Database:
    return Database(sqlite_url(root / DATA / "arcid.db"), MIGRATIONS)


RESTORES = {
    "a restore": Scene(prepare_home, _restore, _state),
    "a restore that keeps the old database": Scene(prepare_home, _keep, _state),
    "a restore into an empty folder": Scene(_into_nothing, _restore, _state),
    "the end of a restore that was killed": Scene(_interrupted, _finish, _state),
    "the replacement of a restore that was killed": Scene(_begun, _finish, _state),
    "a restore that fails and is undone": Scene(prepare_home, _fail, _state, instead="a restore"),
    "a restore in place of a damaged database": Scene(_damaged, _restore, _raw_state),
    "a restore in place of a damaged database that is undone": Scene(
        _damaged, _fail, _raw_state, instead="a restore in place of a damaged database"
    ),
}
