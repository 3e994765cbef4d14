"""What many tests share: the pulled networks, the packages that carry them, and real photos from other packages."""

import importlib.util
from pathlib import Path

import pytest

from app.config import PROJECT
from app.inference.archives import fetched
from app.inference.packs import Packs

MODELS = PROJECT / "models"
DATA = PROJECT / ".data"


@pytest.fixture(scope="session")
def packs():
    """The packs in the checkout's data folder, where `make test` pulls them."""
    return Packs(MODELS, DATA / "models")


@pytest.fixture(scope="session")
def network(packs):
    """Path of a pulled network: network("yunet", "yunet.onnx"); skips with the command that brings it."""

    def path(pack: str, file: str) -> Path:
        manifest = packs.manifest(pack)
        if not packs.has(manifest):
            pytest.skip(f"the pack {pack} is not pulled; run: arcid models pull {pack}")
        return packs.verified(manifest, file)

    return path


@pytest.fixture(scope="session")
def archive(packs):
    """Path of a package that carries networks, downloaded once and kept: archive("mtcnn", "mtcnn")."""

    def path(pack: str, name: str) -> Path:
        wanted = packs.manifest(pack).archives[name]
        kept = DATA / "archives" / str(wanted.sha256)
        if not (found := list(kept.glob("*"))):
            kept.mkdir(parents=True, exist_ok=True)
            with fetched(wanted) as downloaded:
                (kept / downloaded.name).write_bytes(downloaded.read_bytes())
            found = list(kept.glob("*"))
        return found[0]

    return path


def _photo_of(package: str, *parts: str) -> bytes:
    spec = importlib.util.find_spec(package)  # finds the package without importing it
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent.joinpath(*parts).read_bytes()


@pytest.fixture(scope="session")
def group_photo() -> bytes:
    """InsightFace's sample photo: six people of a television series."""
    return _photo_of("insightface", "data", "images", "t1.jpg")


@pytest.fixture(scope="session")
def portrait() -> bytes:
    """scikit-image's portrait of the astronaut Eileen Collins (NASA, public domain): one face."""
    return _photo_of("skimage", "data", "astronaut.png")


@pytest.fixture(scope="session")
def lfw() -> Path:
    """The project's own half of LFW; users do not have it."""
    folder = PROJECT.parent / "shared" / "lfw"
    if not folder.is_dir():
        pytest.skip("../shared/lfw is only on the project's own machines")
    return folder
