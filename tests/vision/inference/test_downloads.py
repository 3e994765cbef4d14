"""Files by URL from a mirror: a folder, or a server on this machine."""

import pytest

from app.errors import ArchiveUnavailable, NetworkCorrupt
from app.vision.inference.downloads import download_file
from app.vision.inference.manifest import Download
from tests.vision.inference.releases import serving, sha256

DATA = b"the weights"
FILE = Download(url="https://zoo.example/2023.0/net.bin", sha256=sha256(DATA))


@pytest.fixture(params=["folder", "server"])
def mirror(request, tmp_path, monkeypatch):
    """Folder of a mirror, and the value of the setting."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path / "mirror"
    folder.mkdir()
    if request.param == "folder":
        yield folder, str(folder)
    else:
        with serving(folder) as address:
            yield folder, f"{address}/"


@pytest.mark.parametrize("name", ["net.bin", sha256(DATA)])
def test_a_mirror_offers_a_file_by_its_name_or_its_hash(mirror, name):
    folder, setting = mirror
    (folder / name).write_bytes(DATA)
    assert download_file(FILE, setting) == DATA


def test_a_mirror_may_offer_a_file_under_another_name_than_its_address(mirror):
    folder, setting = mirror
    (folder / "liveness.bin").write_bytes(DATA)
    assert download_file(FILE.model_copy(update={"mirror_name": "liveness.bin"}), setting) == DATA


def test_a_mirror_without_the_file(mirror):
    with pytest.raises(ArchiveUnavailable, match=sha256(DATA)):
        download_file(FILE, mirror[1])


def test_the_hash_of_a_mirrored_file_is_checked(mirror):
    folder, setting = mirror
    (folder / "net.bin").write_bytes(b"other")
    with pytest.raises(NetworkCorrupt, match=r"zoo\.example/2023\.0/net\.bin: SHA-256 is .* expected"):
        download_file(FILE, setting)


def test_without_a_mirror_the_address_is_used():
    away = Download(url="https://127.0.0.1:1/net.bin", sha256=sha256(DATA))
    with pytest.raises(ArchiveUnavailable, match=r"https://127\.0\.0\.1:1/net\.bin could not be downloaded"):
        download_file(away)
