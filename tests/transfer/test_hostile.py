"""Archives that are not what they seem: refused with a stable code, and nothing is written."""

import hashlib
import io
import json
import struct
import tarfile
import zipfile
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from app.errors import ArchiveDamaged, ArchiveInvalid, ArchiveRefused, ArchiveTooNew, FileUnusable
from app.gallery.store.identities import IdentityStore
from app.transfer import zip_files as zips
from app.transfer.archive_reader import open_archive
from tests.transfer.fakes import D, Recorded, exporter, fill, importer, units

MANIFEST = "manifest.json"


@pytest.fixture(scope="module")
def parts(databases, tmp_path_factory) -> dict[str, bytes]:
    """The members of a whole archive of two people."""
    path = tmp_path_factory.mktemp("parts") / "a.zip"
    with databases.engine() as engine:
        fill(engine, people=2)
        exporter(engine).write("people", path, Recorded())
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def refused(engine, tmp_path):
    """Import an archive that must be refused, and say with which code."""

    def refused(data: bytes) -> str:
        path = tmp_path / "hostile.zip"
        path.write_bytes(data)
        with pytest.raises(ArchiveRefused) as caught:
            importer(engine).run(path, Recorded())
        assert not IdentityStore(engine).collections()
        return caught.value.code

    return refused


def packed(parts: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED, *, is_sealed: bool = True) -> bytes:
    """Pack members; sealed: the manifest names their sizes and checksums."""
    parts = dict(parts)
    if is_sealed:
        said = json.loads(parts[MANIFEST])
        said["members"] = {
            name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in parts.items()
            if name in said["members"]
        }
        parts[MANIFEST] = json.dumps(said).encode()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return file.getvalue()


def npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def joined(said: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in said)


def test_the_archive_itself_is_fine(engine, parts, tmp_path):
    for number, compression in enumerate((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED)):
        path = tmp_path / f"{number}.zip"
        path.write_bytes(packed(parts, compression))
        assert importer(engine).run(path, Recorded()).faces == (6, 0)[number]


def test_what_is_no_archive(refused, engine, tmp_path):
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.PAX_FORMAT) as file:
        link = tarfile.TarInfo(MANIFEST)
        link.type, link.linkname, link.pax_headers = tarfile.SYMTYPE, "/etc/passwd", {"comment": "x" * 100_000}
        file.addfile(link)
    ends = (b"PK\x05\x06" + b"\xff" * 18, b"PK\x05\x06" + bytes(18))
    for data in (b"", b"PK", b"no archive" * 1000, *ends, tar.getvalue()):
        assert refused(data) == "archive_invalid"
    with pytest.raises(FileUnusable):
        importer(engine).run(tmp_path / "nowhere.zip", Recorded())


def test_every_cut_and_every_flip_is_noticed(refused, parts, tmp_path):
    whole = packed(parts)
    for end in range(0, len(whole), 331):
        assert refused(whole[:end]) in {"archive_invalid", "archive_damaged"}
    for at in range(0, len(whole), 97):
        data = bytearray(whole)
        data[at] ^= 4
        path = tmp_path / "flipped.zip"
        path.write_bytes(data)
        # A bit may mean nothing, such as one of a time: then what is read is what was written.
        with suppress(ArchiveRefused), open_archive(path) as archive:
            archive.verify(lambda _: None)
            ((_, block),) = archive.blocks()
            assert np.array_equal(block.vectors, units(6))


@pytest.mark.parametrize(
    "name", ["../evil.ndjson", "/etc/passwd", "..\\evil", "extra.txt", "faces.ndjson/", "faces.ndjson+.txt", "CON"]
)
def test_names_that_do_not_belong_there(refused, parts, name):
    data = packed({**parts, name: b"x"}).replace(b"ndjson+", b"ndjson\0")  # a NUL hides what follows
    assert refused(data) == "archive_invalid"


def test_a_name_in_the_manifest_that_is_no_member(refused, parts):
    said = json.loads(parts[MANIFEST])
    said["members"]["../evil"] = said["members"]["faces.ndjson"]
    assert refused(packed({**parts, MANIFEST: json.dumps(said).encode()}, is_sealed=False)) == "archive_invalid"


@pytest.mark.parametrize("name", [MANIFEST, "faces.ndjson", "vectors.npy", "identities.ndjson"])
def test_a_member_is_missing_or_twice(refused, parts, name):
    if name != MANIFEST:
        assert refused(packed({key: data for key, data in parts.items() if key != name})) == "archive_invalid"
    file = io.BytesIO(packed(parts))
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(name, parts[name])
    assert refused(file.getvalue()) == "archive_invalid"


def test_bombs(refused, parts):
    zeros = bytes(30_000_000)
    for name in ("faces.ndjson", "identities.ndjson", "vectors.npy", MANIFEST):
        is_sealed = name != MANIFEST
        assert refused(packed({**parts, name: zeros}, is_sealed=is_sealed)) == "archive_invalid"


def test_a_line_without_end(refused, parts):
    long = b'{"name": "' + np.random.default_rng(0).bytes(150_000).hex().encode() + b'"}\n'
    assert refused(packed({**parts, "identities.ndjson": long})) == "archive_invalid"


def test_a_directory_without_end(refused, parts):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(80_000):
            archive.writestr(f"{number}", b"")
    assert refused(file.getvalue()) == "archive_invalid"


def test_a_size_that_is_a_lie(refused, parts):
    data = bytearray(packed(parts))
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(MANIFEST.encode()))
    struct.pack_into("<I", data, at + 24, 50)
    assert refused(bytes(data)) in {"archive_invalid", "archive_damaged"}


def test_a_checksum_that_does_not_fit(refused, parts):
    other = parts["faces.ndjson"].replace(b"0.75", b"0.76")
    assert refused(packed({**parts, "faces.ndjson": other}, is_sealed=False)) == "archive_damaged"


def test_a_manifest_that_lies(refused, parts):
    for path, value, code in [
        (("format",), "other", ArchiveInvalid),
        (("format_version",), 2, ArchiveTooNew),
        (("format_version",), 0, ArchiveInvalid),
        (("faces",), 7, ArchiveInvalid),
        (("faces",), 5, ArchiveInvalid),
        (("identities",), 1, ArchiveInvalid),
        (("identities",), 3, ArchiveInvalid),
        (("network", "dimension"), 4, ArchiveInvalid),
        (("network", "model"), "a\nb", ArchiveInvalid),
        (("collection", "name"), "../people", ArchiveInvalid),
        (("collection", "practice", "is_flip_averaged"), "yes", ArchiveInvalid),
        (("collection", "practice", "surprise"), 1, ArchiveInvalid),
        (("surprise",), 1, ArchiveInvalid),
    ]:
        said = json.loads(parts[MANIFEST])
        target = said
        for name in path[:-1]:
            target = target[name]
        target[path[-1]] = value
        assert refused(packed({**parts, MANIFEST: json.dumps(said).encode()})) == code.code, path
    for data in (b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000):
        assert refused(packed({**parts, MANIFEST: data}, is_sealed=False)) == "archive_invalid"


@pytest.mark.parametrize(
    "array",
    [
        units(6).astype(np.float64),
        units(6).astype(">f4"),
        units(6).astype(np.float16),
        np.asfortranarray(units(6)),
        units(5),
        units(6, dimension=D + 1),
        units(6)[None],
        np.array([{"a": 1}] * 6, object),
        units(6) * 1.01,
        np.zeros((6, D), np.float32),
        np.full((6, D), np.nan, np.float32),
        np.full((6, D), np.inf, np.float32),
        np.full((6, D), 3e38, np.float32),
    ],
    ids=str,
)
def test_vectors_that_are_none(refused, parts, array):
    assert refused(packed({**parts, "vectors.npy": npy(array)})) == "archive_invalid"


def test_an_array_whose_header_is_code_or_too_long(refused, parts):
    whole = parts["vectors.npy"]
    for header in (b"__import__('os').system('true')", b"{" * 60_000, b"{'descr': '<f4'}", b"9" * 5000):
        begin = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
        assert refused(packed({**parts, "vectors.npy": begin + whole[-6 * D * 4 :]})) == "archive_invalid"
    assert refused(packed({**parts, "vectors.npy": whole + b"more"})) == "archive_invalid"
    assert refused(packed({**parts, "vectors.npy": whole[:-4]})) == "archive_invalid"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("row", 3),
        ("row", -1),
        ("face_id", "f0-0-1"),
        ("face_id", ""),
        ("face_id", "x" * 37),
        ("face_id", ".."),
        ("face_id", "a/b"),
        ("identity_id", "nobody"),
        ("quality", 1.5),
        ("quality", float("nan")),
        ("norm", -1.0),
        ("norm", float("inf")),
        ("box", [1, 2, 3]),
        ("box", [1, 2, 3, float("nan")]),
        ("landmarks", [[1, 2]] * 4),
        ("landmarks", [[1, 2, 3]] * 5),
        ("detection_score", "0.5"),
        ("image_sha256", "no hash"),
        ("created_at", "yesterday"),
        ("created_at", "2026-01-01T00:00:00"),
        ("surprise", 1),
    ],
)
def test_faces_that_are_none(refused, parts, name, value):
    said = lines(parts["faces.ndjson"])
    said[0][name] = value
    assert refused(packed({**parts, "faces.ndjson": joined(said)})) == "archive_invalid"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("identity_id", "p1-0"),
        ("identity_id", "a\x00b"),
        ("identity_id", "a/.."),
        ("identity_id", "x" * 129),
        ("name", "a\nb"),
        ("metadata", []),
        ("metadata", {"a": "x" * 70_000}),
        ("metadata", {"a": float("nan")}),
        ("updated_at", None),
    ],
)
def test_people_who_are_none(refused, parts, name, value):
    said = lines(parts["identities.ndjson"])
    said[0][name] = value
    assert refused(packed({**parts, "identities.ndjson": joined(said)})) == "archive_invalid"


def test_an_identity_twice_without_faces(refused, parts):
    said = lines(parts["identities.ndjson"])
    said.append({**said[0]})
    manifest = json.loads(parts[MANIFEST])
    manifest["identities"] = 3
    hostile = {**parts, "identities.ndjson": joined(said), MANIFEST: json.dumps(manifest).encode()}
    assert refused(packed(hostile)) == "archive_invalid"


def test_an_encrypted_member(refused, parts):
    data = bytearray(packed(parts))
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    assert refused(bytes(data)) == "archive_invalid"


def test_an_error_of_the_reader_is_not_blamed_on_the_archive(parts, tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(packed(parts))
    with pytest.raises(ValueError, match="mine"), zips.reading(path, lambda _: True):
        raise ValueError("mine")


def test_damage_has_its_own_code():
    assert ArchiveDamaged.code == "archive_damaged"
