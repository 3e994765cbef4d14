"""Files of jobs in the data folder: uploads until their job has ended, and exports for a day."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from app.disk import delete, lock, make_folder, sync_folder

_PLACE = "place"
KEPT = timedelta(days=1)
"""How long an exported archive can be downloaded."""


class Uploads:
    """Files of jobs: at most one upload and one archive each. They exist on this machine only: see `place`."""

    def __init__(self, folder: Path, unfinished: Callable[[], set[str]]) -> None:
        """Use a folder. `unfinished` returns the ids of the jobs that may still need their file."""
        self._folder = folder
        self._unfinished = unfinished
        self._coming: dict[str, int] = {}

    def place(self) -> str:
        """Return the id of this data folder, which ties its jobs to it; created at the first call."""
        path = self._folder / _PLACE
        with suppress(FileNotFoundError):
            if place := path.read_text("ascii"):
                return place
        make_folder(self._folder)
        made = self._folder / f"{_PLACE}.{uuid4().hex}"
        try:
            with made.open("x", encoding="ascii") as file:
                file.write(str(uuid4()))
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(made, path)  # another process was first
        finally:
            delete(made)
        return path.read_text("ascii")

    def path(self, job_id: str) -> Path:
        """Return the path of a job's upload, whether it exists or not."""
        return self._folder / f"{job_id}.upload"

    def archive(self, job_id: str) -> Path:
        """Return the path for a job's archive; its folder exists."""
        make_folder(self._folder)
        return self._folder / f"{job_id}.archive"

    def keep(self, job_id: str, data: bytes) -> Path:
        """Write the file of a job before the job is created; `tidy` spares it until `is_made` or `drop`."""
        make_folder(self._folder)
        path = self.path(job_id)
        try:
            with path.open("xb") as file:
                self._coming[job_id] = os.dup(file.fileno())
                lock(file)  # the lock ends with the last descriptor, or with the process
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            sync_folder(self._folder)
        except OSError:
            self.drop(job_id)
            raise
        return path

    @contextmanager
    def keeping(self, job_id: str, data: bytes) -> Iterator[Path]:
        """Context manager: write the file of a job that is created inside it; delete the file if that raises."""
        path = self.keep(job_id, data)
        try:
            yield path
        except BaseException:
            self.drop(job_id)
            raise
        self.is_made(job_id)

    @contextmanager
    def adopting(self, job_id: str, path: Path) -> Iterator[None]:
        """Context manager: give a locked file to a job that is created inside it, and keep it if that raises.

        The file has both names until the job exists. After a power failure, `tidy` deletes one name without a job.
        """
        os.link(path, self.path(job_id))
        sync_folder(self._folder)
        try:
            yield
        except BaseException:
            delete(self.path(job_id))
            raise
        delete(path)

    def taken_bytes(self) -> int:
        """Return the size of the uploads of all jobs on this machine."""
        return sum(_size(path) for path in self._folder.glob("*.upload"))

    def is_made(self, job_id: str) -> None:
        """Release the file to its job, which is in the database now."""
        if (descriptor := self._coming.pop(job_id, None)) is not None:
            os.close(descriptor)

    def drop(self, job_id: str) -> None:
        """Delete a job's upload, if it exists."""
        delete(self.path(job_id))
        self.is_made(job_id)

    def tidy(self, job_id: str | None = None) -> None:
        """Delete the upload of an ended job.

        Without a job: delete the uploads of all ended jobs, archives older than `KEPT`, and partial files of dead
        processes.
        """
        if job_id is not None:
            self.drop(job_id)
            return
        # Files whose job is about to be created are locked; so check the locks before reading the jobs.
        settled = {path.stem for path in self._folder.glob("*.upload") if not _is_coming(path)}
        for each in settled - self._unfinished() if settled else ():
            delete(self.path(each))
        oldest = time.time() - KEPT.total_seconds()
        for path in (*self._folder.glob("*.archive"), *self._folder.glob(".*.archive-*")):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    delete(path)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _is_coming(path: Path) -> bool:
    """Return whether any process is about to create a file's job."""
    try:
        with path.open("rb") as file:
            lock(file, is_shared=True, is_waiting=False)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
