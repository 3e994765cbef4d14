"""Files and folders of training: their creation, and errors of writing that state what to do."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import StorageNotWritable

_UNNAMED = "a file cannot be written; "  # the file is named here


def make_run_folder(folder: Path) -> None:
    """Create the folder of a run; raises StorageNotWritable if it cannot be created or takes no files."""
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()


def write_whole(content: bytes, file: Path) -> None:
    """Write a cached file and its folder: whole or not at all, unless the power fails. Raises StorageNotWritable."""
    with storage_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=".", delete=False) as part:
            try:
                part.write(content)
                part.close()  # Windows does not rename open files
                Path(part.name).replace(file)
            except OSError:
                Path(part.name).unlink(missing_ok=True)
                raise


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into StorageNotWritable, which names the file or folder and what to do."""
    try:
        yield
    except OSError as error:
        known = StorageNotWritable.of(error)
        reason = str(known).removeprefix(_UNNAMED) if known is not None else (error.strerror or str(error)).lower()
        raise StorageNotWritable(f"{path} cannot be written: {reason}") from error
