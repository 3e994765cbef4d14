"""Files that are there whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO


@contextmanager
def saved(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write; at the end it takes the place of `path`, readable by its owner alone; gone on an error."""
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        written = Path(file.name)
        try:
            yield file
        except BaseException:
            file.close()
            written.unlink()
            raise
    written.replace(path)
