"""The data folder: readable only by the user that runs the service."""

import stat
from collections.abc import Iterator
from pathlib import Path

from app.config import Settings
from app.disk import make_folder
from app.errors import StorageNotWritable
from app.observability.logs import get_logger
from app.wiring.storage import embedded_file, models_folder, own_key_file

_log = get_logger(__name__)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_FOLDERS = ("index", "jobs", "calibrations", "evaluation", "matplotlib", "training")


def prepare_data_folder(settings: Settings) -> None:
    """Create the data folder, and remove permissions that earlier versions gave to group and others.

    Files of other programs are left unchanged, and so is a folder of another user, such as a mounted volume. Raises
    StorageNotWritable if the folder cannot be created.
    """
    try:
        make_folder(settings.data_dir, 0o700)
    except OSError as error:
        raise StorageNotWritable(
            f"the data folder {settings.data_dir} cannot be created; create it, writable for the user that runs this, "
            "or name another in ARCID_DATA_DIR",
            str(error),
        ) from error
    refused = [path for path in _own(settings) if not _is_private(path)]
    if refused:
        _log.warning("data_folder.readable_by_others", path=str(refused[0]), all=len(refused))


def _own(settings: Settings) -> Iterator[Path]:
    """Yield the data folder and everything that ArcID writes in it."""
    folder = settings.data_dir
    yield folder
    database = embedded_file(settings)
    yield from folder.glob(f"{database.name}*")
    yield from folder.glob(own_key_file(settings).name)
    names = [*_FOLDERS, *([models_folder(settings).name] if models_folder(settings).parent == folder else [])]
    for each in (folder / name for name in names):
        if each.is_dir() and not each.is_symlink():
            yield each
            yield from each.rglob("*")


def _is_private(path: Path) -> bool:
    """Remove the permissions of group and others; return whether they are gone. Skip links and shared folders."""
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode) or mode & stat.S_ISVTX:
            return True
        if mode & _OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
    except FileNotFoundError:  # deleted since it was listed
        return True
    except OSError:
        return False
    return True
