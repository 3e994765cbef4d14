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
_ELSEWHERE = "elsewhere"  # a scene's folder for the database, if it is not in the data folder
_GARBAGE = b"no database" * 1000


def prepare_home(root: Path) -> None:
    """Make a data folder with more than its backup has."""
    home = root / DATA
    (home / _CALIBRATION).parent.mkdir(parents=True)
    (home / _CALIBRATION).write_text("old")
    (home / "index" / "old").mkdir(parents=True)
    (home / "index" / "old" / "a.segment").write_bytes(b"vectors")
    migrate(sqlite_url(_database(root)))
    with database_in(root) as opened:
        fill(opened.engine)
        back_up(opened, home, root / _BACKUP, Recorded())
        IdentityStore(opened.engine).remove_identity(IdentityStore(opened.engine).collection("people"), "p1-0")
        fill(opened.engine, "later", seed=1)
    (home / _CALIBRATION).write_text("later")
    (home / _CALIBRATION.with_name("later.json")).write_text("later")


def _prepare_apart(root: Path) -> None:
    """Make a data folder whose database is in another folder."""
    (root / _ELSEWHERE).mkdir()
    prepare_home(root)


def _database(root: Path) -> Path:
    folder = root / _ELSEWHERE
    return (folder if folder.exists() else root / DATA) / "arcid.db"


def _restore(root: Path, *, is_old_kept: bool = False) -> None:
    _restore_of(root).run(root / _BACKUP, Recorded(), is_old_kept=is_old_kept)


def _keep(root: Path) -> None:
    _restore(root, is_old_kept=True)


def _state(root: Path) -> State:
    """Start as a service does, and return everything as one: a restore is one step."""
    database = _database(root)
    _restore_of(root).finish()
    if not database.exists():
        return {"all": None}
    with database_in(root) as opened:
        opened.schema.require_current()
        store = IdentityStore(opened.engine)
        collections = [(each.name, each.faces, store.face_count(each)) for each in store.collections()]
        assert not Trail(opened.engine).verify().breaks
    sqlite_files.check(database)
    kept = [sqlite3.connect(each).execute("SELECT count(*) FROM faces").fetchone() for each in _kept(database.parent)]
    calibrations = files_below(root / DATA / "calibrations")
    return {"all": (collections, calibrations, kept), "leftovers": _leftovers(database)}


def _kept(folder: Path) -> list[Path]:
    return [each for each in folder.glob("arcid.db.before-restore-*") if each.suffix not in {"-wal", "-shm"}]


def _leftovers(database: Path) -> list[str]:
    return sorted(each.name for each in database.parent.iterdir() if ".restor" in each.name)


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
    _restore_of(root).finish()


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
        _database(root).with_name(name).write_bytes(_GARBAGE + name.encode())


def _damaged_apart(root: Path) -> None:
    (root / _ELSEWHERE).mkdir()
    _damaged(root)


def _raw_state(root: Path) -> State:
    database = _database(root)
    _restore_of(root).finish()
    content = database.read_bytes()
    if not content.startswith(_GARBAGE):
        return _state(root)
    beside = database.with_name("arcid.db-shm").read_bytes()
    return {
        "all": ((content, beside), files_below(root / DATA / "calibrations"), []),
        "leftovers": _leftovers(database),
    }


def _restore_of(root: Path) -> Restore:
    return Restore(_database(root), root / DATA, MIGRATIONS)


def database_in(root: Path) -> Database:
    return Database(sqlite_url(_database(root)), MIGRATIONS)


RESTORES = {
    "a restore": Scene(prepare_home, _restore, _state),
    "a restore that keeps the old database": Scene(prepare_home, _keep, _state),
    "a restore of a database outside the data folder": Scene(_prepare_apart, _restore, _state),
    "a restore outside the data folder that is undone": Scene(
        _prepare_apart, _fail, _state, instead="a restore of a database outside the data folder"
    ),
    "a restore into an empty folder": Scene(_into_nothing, _restore, _state),
    "the end of a restore that was killed": Scene(_interrupted, _finish, _state),
    "the replacement of a restore that was killed": Scene(_begun, _finish, _state),
    "a restore that fails and is undone": Scene(prepare_home, _fail, _state, instead="a restore"),
    "a restore in place of a damaged database": Scene(_damaged, _restore, _raw_state),
    "a restore outside the data folder, of a damaged database, that is undone": Scene(
        _damaged_apart, _fail, _raw_state, instead="a restore in place of a damaged database"
    ),
    "a restore in place of a damaged database that is undone": Scene(
        _damaged, _fail, _raw_state, instead="a restore in place of a damaged database"
    ),
}
