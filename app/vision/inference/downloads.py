"""Files of networks by URL, or from a mirror for machines without internet."""

from dataclasses import dataclass
from pathlib import Path

from app.errors import ArchiveUnavailable
from app.remote.download import download
from app.vision.inference.archives import check_sha256
from app.vision.inference.manifest import Download

_LARGEST = 1 << 30  # bytes; a ResNet-100 has a quarter of that
_MIRROR_SCHEMES = frozenset({"http", "https"})  # the hash is checked either way


@dataclass(frozen=True, slots=True)
class Mirrors:
    """Replacements of addresses: of InsightFace's releases (a URL), and of files by URL (a folder or a URL)."""

    insightface: str | None = None
    files: str | None = None


def download_file(file: Download, mirror: str | None = None) -> bytes:
    """Return a file after checking its hash.

    Args:
        file: The file's address and hash.
        mirror: Folder or base URL that replaces the address. It offers the file under its name or its SHA-256.

    Raises:
        ArchiveUnavailable: If the file cannot be downloaded, or the mirror does not have it.
        NetworkCorrupt: If its SHA-256 is not the pinned one.
    """
    data = _published(file) if mirror is None else _mirrored(file, mirror)
    check_sha256(data, file.sha256, file.url)
    return data


def _published(file: Download) -> bytes:
    try:
        return download(file.url, largest=_LARGEST)
    except ArchiveUnavailable as error:
        raise ArchiveUnavailable(
            f"{error}; ARCID_MODEL_MIRROR can name a folder or server that has the file"
        ) from error


def _mirrored(file: Download, mirror: str) -> bytes:
    if mirror.startswith(("http://", "https://")):
        base = mirror.rstrip("/")
        try:
            return download(f"{base}/{file.name}", largest=_LARGEST, schemes=_MIRROR_SCHEMES)
        except ArchiveUnavailable:
            return download(f"{base}/{file.sha256}", largest=_LARGEST, schemes=_MIRROR_SCHEMES)
    for path in (Path(mirror) / file.name, Path(mirror) / file.sha256):
        if path.is_file():
            try:
                return path.read_bytes()
            except OSError as error:
                raise ArchiveUnavailable(f"{path} cannot be read: {error}") from error
    raise ArchiveUnavailable(f"the mirror {mirror} has neither {file.name} nor {file.sha256}")
