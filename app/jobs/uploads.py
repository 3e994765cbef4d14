"""The files of jobs in the data folder: what was sent along, until it has ended; what an export wrote, for a day."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

_PLACE = "place"
KEPT = timedelta(days=1)
"""How long the archive of an export can be fetched."""


class Uploads:
    """At most one file of each kind for a job. They lie on this machine alone: see `place`."""

    def __init__(self, folder: Path, unfinished: Callable[[], set[str]]) -> None:
        """`unfinished` tells the ids of the jobs that may still need their file."""
        self._folder = folder
        self._unfinished = unfinished
        self._coming: dict[str, int] = {}

    def place(self) -> str:
        """Return the id of this data folder, by which its jobs find back to it; made at the first call."""
        path = self._folder / _PLACE
        with suppress(FileNotFoundError):
            if place := path.read_text("ascii"):
                return place
        self._folder.mkdir(parents=True, exist_ok=True)
        made = self._folder / f"{_PLACE}.{uuid4().hex}"
        try:
            made.write_text(str(uuid4()), "ascii")
            with suppress(FileExistsError):
                os.link(made, path)  # of two processes one is the first
        finally:
            made.unlink(missing_ok=True)
        return path.read_text("ascii")

    def path(self, job_id: str) -> Path:
        """Return where the file of a job lies, or would."""
        return self._folder / f"{job_id}.upload"

    def archive(self, job_id: str) -> Path:
        """Return where the archive that a job makes lies, or will; the folder is there."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f"{job_id}.archive"

    def keep(self, job_id: str, data: bytes) -> Path:
        """Write the file of a job that is about to be made; until `is_made` or `drop` nobody tidies it away."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self.path(job_id)
        try:
            with path.open("xb") as file:
                self._coming[job_id] = os.dup(file.fileno())
                fcntl.flock(file, fcntl.LOCK_EX)  # goes with the last descriptor, or with the process
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            self.drop(job_id)
            raise
        return path

    @contextmanager
    def keeping(self, job_id: str, data: bytes) -> Iterator[Path]:
        """Write the file of a job that is created in this context; delete it if the context raises."""
        path = self.keep(job_id, data)
        try:
            yield path
        except BaseException:
            self.drop(job_id)
            raise
        self.is_made(job_id)

    def is_made(self, job_id: str) -> None:
        """Let the file go with its job: that is in the database by now."""
        if (descriptor := self._coming.pop(job_id, None)) is not None:
            os.close(descriptor)

    def drop(self, job_id: str) -> None:
        """Delete the file of a job, if there is one."""
        self.path(job_id).unlink(missing_ok=True)
        self.is_made(job_id)

    def tidy(self, job_id: str | None = None) -> None:
        """Delete what was sent along with a job that has ended.

        Without a job: with all that have ended, and the archives that are older than `KEPT`, with what a process that
        died left of one.
        """
        if job_id is not None:
            self.drop(job_id)
            return
        # Those whose job is about to be made are locked; only then is asked which jobs there are.
        settled = {path.stem for path in self._folder.glob("*.upload") if not _is_coming(path)}
        for each in settled - self._unfinished() if settled else ():
            self.path(each).unlink(missing_ok=True)
        oldest = time.time() - KEPT.total_seconds()
        for path in (*self._folder.glob("*.archive"), *self._folder.glob(".*.archive-*")):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()


def _is_coming(path: Path) -> bool:
    """Say whether a process, this one or another, is about to make the job of a file."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
