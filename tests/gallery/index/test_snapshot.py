import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import IndexUnusable
from app.gallery.index.compressed import CompressedIndex
from app.gallery.index.flat import FlatIndex
from app.gallery.index.growing import GrowingIndex
from app.gallery.index.protocol import LocalIndex
from app.gallery.index.storage.snapshot import purge_keys
from app.gallery.index.storage.snapshot_manifest import SnapshotManifest, read_manifest
from app.gallery.index.storage.snapshot_origin import KeyRange, SnapshotOrigin
from tests.gallery.index.fakes import D, keys_of, units

ORIGIN = SnapshotOrigin("model", "7")
BLOCK = 16

BACKENDS: dict[str, Callable[[int], LocalIndex]] = {
    "flat": partial(FlatIndex, block_rows=BLOCK),
    "compressed": partial(CompressedIndex, block_rows=BLOCK),
    "growing": partial(GrowingIndex, block_rows=BLOCK),
}


@pytest.fixture(params=BACKENDS)
def new_index(request):
    return BACKENDS[request.param]


def filled(index: LocalIndex, count: int = 50) -> LocalIndex:
    """Keys 0, 10, 20 ...: four blocks of 50."""
    if isinstance(index, CompressedIndex):
        index.train(units(64, seed=9, dimension=index.dimension))
    index.add(np.arange(count) * 10, units(count, dimension=index.dimension))
    return index


def content(index: LocalIndex) -> tuple[list[int], list[list[float]]]:
    return index.keys().tolist(), index.vectors(index.keys()).tolist()


def names(folder: Path, kind: str = "segment") -> set[str]:
    return {path.name for path in folder.glob(f"*.{kind}")}


@pytest.mark.parametrize("count", [0, 1, 16, 50])
def test_a_saved_index_comes_back_the_same(new_index, tmp_path, count):
    index = filled(new_index(D), count)
    index.save(tmp_path / "snapshot", ORIGIN, 42)
    loaded = filled(new_index(D), 3)
    restored = loaded.load(tmp_path / "snapshot", ORIGIN)
    assert (restored.revision, restored.lost) == (42, ())
    assert content(loaded) == content(index)
    for found, expected in zip(loaded.search(units(5, seed=1), 9), index.search(units(5, seed=1), 9), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_loaded_index_can_be_changed_and_saved(new_index, tmp_path):
    filled(new_index(D)).save(tmp_path, ORIGIN, 1)
    loaded = new_index(D)
    loaded.load(tmp_path, ORIGIN)
    loaded.add(keys_of(20, 7), units(2, seed=1))
    loaded.remove(keys_of(0))
    loaded.save(tmp_path, ORIGIN, 2)
    again = new_index(D)
    assert again.load(tmp_path, ORIGIN).revision == 2
    assert content(again) == content(loaded)
    assert again.search(units(2, seed=1), 1)[1].tolist() == [[20], [7]]


def test_only_changed_blocks_are_written_again(new_index, tmp_path):
    index = filled(new_index(D))
    index.save(tmp_path, ORIGIN, 1)
    before = {path.name: path.stat().st_ino for path in tmp_path.glob("*.segment")}
    assert len(before) == 4
    index.add(keys_of(200), units(1, seed=1))
    index.save(tmp_path, ORIGIN, 2)
    after = {path.name: path.stat().st_ino for path in tmp_path.glob("*.segment")}
    assert len(after) == 4
    assert len(after.items() & before.items()) == 3


def test_a_loaded_index_knows_what_is_saved(new_index, tmp_path):
    filled(new_index(D)).save(tmp_path, ORIGIN, 1)
    before = {path.name: path.stat().st_ino for path in tmp_path.glob("*.segment")}
    loaded = new_index(D)
    loaded.load(tmp_path, ORIGIN)
    loaded.save(tmp_path, ORIGIN, 2)
    assert {path.name: path.stat().st_ino for path in tmp_path.glob("*.segment")} == before


def test_the_removed_leave_the_folder_with_the_next_save(new_index, tmp_path):
    index = filled(new_index(D))
    index.save(tmp_path, ORIGIN, 1)
    gone = units(50)[3].astype(np.float16).tobytes()
    assert any(gone in path.read_bytes() for path in tmp_path.iterdir())
    index.remove(keys_of(30))
    index.save(tmp_path, ORIGIN, 2)
    assert not any(gone in path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize("lost", ["deleted", "cut", "longer", "flipped", "a folder", "another's"])
def test_a_lost_segment_is_reported_and_the_rest_comes_back(new_index, tmp_path, lost):
    index = filled(new_index(D))
    index.save(tmp_path, ORIGIN, 1)
    segments = read_manifest(tmp_path).segments
    path, data = tmp_path / segments[1].file, (tmp_path / segments[1].file).read_bytes()
    path.unlink()
    if lost == "a folder":
        path.mkdir()
    elif lost != "deleted":
        other = (tmp_path / segments[2].file).read_bytes()
        flipped = data[:100] + bytes([data[100] ^ 1]) + data[101:]
        path.write_bytes({"cut": data[:-1], "longer": data + b"0", "flipped": flipped, "another's": other}[lost])
    loaded = new_index(D)
    restored = loaded.load(tmp_path, ORIGIN)
    assert restored.lost == (KeyRange(160, 310),)
    assert loaded.keys().tolist() == [*range(0, 160, 10), *range(320, 500, 10)]
    loaded.add(np.arange(160, 320, 10), units(50)[16:32])
    assert content(loaded) == content(index)


@settings(max_examples=40)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255), cut=st.booleans(), which=st.integers(0, 9))
def test_damage_anywhere_is_noticed(tmp_path_factory, place, flip, cut, which):
    folder = tmp_path_factory.mktemp("damaged")
    index = filled(CompressedIndex(D, block_rows=BLOCK))
    index.save(folder, ORIGIN, 1)
    paths = sorted(path for path in folder.iterdir() if path.name != ".lock")
    path = paths[which % len(paths)]
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= flip
    path.write_bytes(data[: int(place * len(data))] if cut else data)
    loaded = CompressedIndex(D, block_rows=BLOCK)
    before = content(filled(loaded, 2))
    try:
        restored = loaded.load(folder, ORIGIN)
    except IndexUnusable:
        assert path.name == "manifest.json"
        assert content(loaded) == before
        return
    assert restored.revision == 1
    present = {key for key in range(0, 500, 10) if not any(r.first <= key <= r.last for r in restored.lost)}
    assert set(loaded.keys().tolist()) == present
    assert len(restored.lost) == (path.suffix == ".segment")
    keys = loaded.keys()
    np.testing.assert_array_equal(loaded.vectors(keys), units(50)[keys // 10])


@pytest.mark.parametrize(
    ("dimension", "origin", "saved_by"),
    [
        (D + 1, ORIGIN, None),
        (D, SnapshotOrigin("another", "7"), None),
        (D, SnapshotOrigin("model", "8"), None),
        (D, ORIGIN, "other kind"),
    ],
)
def test_a_foreign_snapshot_changes_nothing(tmp_path, dimension, origin, saved_by):
    for kind, other in ((FlatIndex, CompressedIndex), (CompressedIndex, FlatIndex)):
        folder = tmp_path / kind.__name__
        filled((other if saved_by else kind)(dimension)).save(folder, origin, 1)
        index = filled(kind(D), 4)
        before = content(index)
        with pytest.raises(IndexUnusable, match=str(folder)):
            index.load(folder, ORIGIN)
        assert content(index) == before


def rewritten(folder: Path, **changes: object) -> None:
    """Change a manifest as somebody would who knows how it is made."""
    fields = {**read_manifest(folder).model_dump(exclude={"checksum"}), **changes}
    SnapshotManifest.model_construct(**{**fields, "segments": fields["segments"]}).write(folder)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", "no json", '{"format": 1}', "[" * 100_000, '{"segments": ' + "9" * 5000 + "}"],
)
def test_a_manifest_that_is_none_is_unusable(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(IndexUnusable):
        FlatIndex(D).load(tmp_path, ORIGIN)


@pytest.mark.parametrize(
    "change",
    [
        {"rows": 2**40},
        {"rows": 0},
        {"rows": -1},
        {"rows": True},
        {"first": 2**63},
        {"file": "../../../etc/passwd"},
        {"file": "/dev/zero"},
    ],
)
def test_impossible_segments_make_a_manifest_unusable(tmp_path, change):
    filled(FlatIndex(D)).save(tmp_path, ORIGIN, 1)
    path = tmp_path / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["segments"][0] |= change
    manifest["checksum"] = ""
    path.write_text(json.dumps(manifest))
    with pytest.raises(IndexUnusable):
        FlatIndex(D).load(tmp_path, ORIGIN)


@pytest.mark.parametrize("change", [{"rows": 60_000}, {"first": 5}, {"last": 5}])
def test_segments_that_do_not_fit_their_files_are_lost(tmp_path, change):
    index = filled(FlatIndex(D))
    index.save(tmp_path, ORIGIN, 1)
    segments = read_manifest(tmp_path).segments
    rewritten(tmp_path, segments=[segments[0].model_copy(update=change)])
    loaded = FlatIndex(D)
    assert len(loaded.load(tmp_path, ORIGIN).lost) == 1
    assert loaded.count() == 0


def test_numbers_that_are_none_are_lost(tmp_path):
    index = FlatIndex(D)
    index.add(keys_of(1), np.full((1, D), np.inf, np.float32))
    index.save(tmp_path, ORIGIN, 1)
    assert FlatIndex(D).load(tmp_path, ORIGIN).lost == (KeyRange(1, 1),)


def test_segments_larger_than_the_blocks_are_unusable(tmp_path):
    filled(FlatIndex(D, block_rows=64)).save(tmp_path, ORIGIN, 1)
    with pytest.raises(IndexUnusable, match="more than 16 rows"):
        FlatIndex(D, block_rows=16).load(tmp_path, ORIGIN)


def test_a_key_that_is_in_two_segments_comes_back_once(tmp_path):
    """As when it was removed and added again between two blocks of a save."""
    for name, vectors in (("a", units(20)), ("b", units(20, seed=1))):
        index = FlatIndex(D)
        index.add(np.arange(20), vectors)
        index.save(tmp_path / name, ORIGIN, 1)
    segments = [*read_manifest(tmp_path / "a").segments, *read_manifest(tmp_path / "b").segments]
    (tmp_path / "a" / segments[0].file).rename(tmp_path / "b" / segments[0].file)
    rewritten(tmp_path / "b", segments=segments)
    loaded = FlatIndex(D)
    assert loaded.load(tmp_path / "b", ORIGIN).lost == ()
    assert content(loaded) == content(index)


def test_a_lost_codec_is_learned_again(tmp_path):
    index = CompressedIndex(D, candidates=16)
    vectors = units(500)
    index.train(vectors)
    index.add(np.arange(500), vectors)
    index.save(tmp_path, ORIGIN, 1)
    (codec,) = names(tmp_path, "codec")
    (tmp_path / codec).write_bytes(b"gone")
    loaded = CompressedIndex(D, candidates=16)
    assert loaded.load(tmp_path, ORIGIN).lost == ()
    assert loaded.search(vectors, 1)[1][:, 0].tolist() == list(range(500))
    loaded.save(tmp_path, ORIGIN, 2)
    assert CompressedIndex(D).load(tmp_path, ORIGIN).lost == ()


def test_forgetting_deletes_every_file_that_may_hold_the_key(new_index, tmp_path):
    index = filled(new_index(D))
    index.save(tmp_path, ORIGIN, 1)
    (tmp_path / ".part-of-a-crashed-save").write_bytes(b"faces")
    (tmp_path / ("0" * 32 + ".segment")).write_bytes(b"faces")
    kept = names(tmp_path) - {read_manifest(tmp_path).segments[1].file, "0" * 32 + ".segment"}
    purge_keys(tmp_path, keys_of(165, 10_000))
    assert names(tmp_path) == kept
    assert not (tmp_path / ".part-of-a-crashed-save").exists()
    assert new_index(D).load(tmp_path, ORIGIN).lost == (KeyRange(160, 310),)
    index.save(tmp_path, ORIGIN, 2)
    again = new_index(D)
    assert again.load(tmp_path, ORIGIN).lost == ()
    assert content(again) == content(index)


def test_forgetting_without_a_manifest_deletes_all(tmp_path):
    purge_keys(tmp_path / "missing", keys_of(1))
    filled(FlatIndex(D)).save(tmp_path, ORIGIN, 1)
    (tmp_path / "manifest.json").write_text("{")
    (tmp_path / "thesis.txt").write_text("not ours")
    purge_keys(tmp_path, keys_of(10_000))
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "thesis.txt"}


@pytest.mark.parametrize("writes", range(6))
def test_a_save_that_fails_leaves_the_snapshot_before(tmp_path, monkeypatch, writes):
    index = filled(FlatIndex(D, block_rows=BLOCK))
    index.save(tmp_path, ORIGIN, 1)
    before = content(index)
    index.add(np.arange(0, 500, 10), units(50, seed=2))
    real, done = os.fsync, 0

    def full(descriptor: int) -> None:
        nonlocal done
        done += 1
        if done > writes:
            raise OSError("no space left on device")
        real(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            index.save(tmp_path, ORIGIN, 2)
    loaded = FlatIndex(D, block_rows=BLOCK)
    # Up to the manifest the snapshot before stands; after it only the sweeping of old files is left to do.
    revision = loaded.load(tmp_path, ORIGIN).revision
    assert revision == 1
    assert content(loaded) == before
    index.save(tmp_path, ORIGIN, 3)
    assert loaded.load(tmp_path, ORIGIN).revision == 3
    assert len(names(tmp_path)) == 4
