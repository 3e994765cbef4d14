"""The folder of a run: its creation, and errors of writing that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import StorageNotWritable

_UNNAMED = "a file cannot be written; "  # the file is named here


def make_run_folder(folder: Path) -> None:
    """Create the folder of a run; raises StorageNotWritable."""
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into StorageNotWritable, which names the file or folder and what to do."""
    try:
        yield
    except OSError as error:
        known = StorageNotWritable.of(error)
        reason = str(known).removeprefix(_UNNAMED) if known is not None else (error.strerror or str(error)).lower()
        raise StorageNotWritable(f"{path} cannot be written: {reason}") from error
