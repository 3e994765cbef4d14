"""HEIC photos of heic/ (see its README), and containers built here around their streams."""

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import ImageDamaged, ImageTooCostly, ImageUnsupported, TooManyBytes, TooManyPixels
from app.types import Pixels
from app.vision.imaging import heif_items
from app.vision.imaging.decode import Limits, decode
from tests.vision.imaging.test_decode import GREY, PIXELS, error, in_three, turned

FILES = Path(__file__).parent / "heic"
PLAIN = (FILES / "plain.heic").read_bytes()
AREA = 80 * 64  # HEVC codes whole blocks of 8 pixels


def box(kind: bytes, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def full(kind: bytes, *contents: bytes, version: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24), *contents)


def hvcc(data: bytes = PLAIN) -> bytes:
    at = data.index(b"hvcC") - 4
    return data[at : at + int.from_bytes(data[at : at + 4], "big")]


def stream(data: bytes = PLAIN) -> bytes:
    """Return the last item's bytes: the picture of a file without metadata."""
    at = data.index(b"mdat") + 4
    return data[at:]


def heif(
    items: dict[int, tuple[bytes, bytes]],
    *,
    references: bytes = b"",
    properties: bytes = b"",
    owners: dict[int, list[int]] | None = None,
    meta: bytes = b"",
) -> bytes:
    """Return a file of items (kind and content); the first is the main one. Properties are hvcC, ispe, then others."""
    ispe = full(b"ispe", struct.pack(">II", 80, 64))
    own = {item: [1, 2] for item in items} | (owners or {})
    pairs = b"".join(struct.pack(">HB", item, len(ids)) + bytes(ids) for item, ids in own.items())
    entries = b"".join(full(b"infe", struct.pack(">HH4sx", i, 0, kind), version=2) for i, (kind, _) in items.items())

    def whole(start: int) -> bytes:
        places, at = b"", start
        for item, (_, content) in items.items():
            places += struct.pack(">HHHII", item, 0, 1, at, len(content))
            at += len(content)
        return box(b"ftyp", b"heic\0\0\0\0mif1heic") + full(
            b"meta",
            full(b"hdlr", struct.pack(">I4s13x", 0, b"pict")),
            full(b"pitm", struct.pack(">H", next(iter(items)))),
            full(b"iloc", struct.pack(">HH", 0x4400, len(items)), places),
            full(b"iinf", struct.pack(">H", len(items)), entries),
            full(b"iref", references) if references else b"",
            box(b"iprp", box(b"ipco", hvcc(), ispe, properties), full(b"ipma", struct.pack(">I", len(own)), pairs)),
            meta,
        )

    head = whole(0)
    return whole(len(head) + 8) + box(b"mdat", *[content for _, content in items.values()])


def reference(kind: bytes, source: int, targets: list[int]) -> bytes:
    return box(kind, struct.pack(f">HH{len(targets)}H", source, len(targets), *targets))


def grid(columns: int, rows: int, *, width: int = 80, height: int = 64) -> bytes:
    return struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width * columns, height * rows)


def grid_file(columns: int, rows: int, *, is_repeated: bool = False) -> bytes:
    """Return a grid of equal tiles: an item for each place, or one in all of them."""
    places = [2] * (columns * rows) if is_repeated else list(range(2, 2 + columns * rows))
    items = {1: (b"grid", grid(columns, rows))} | {place: (b"hvc1", stream()) for place in places}
    size = full(b"ispe", struct.pack(">II", 80 * columns, 64 * rows))
    return heif(items, references=reference(b"dimg", 1, places), properties=size, owners={1: [3]})


def pixels(name: str) -> Pixels:
    return decode((FILES / f"{name}.heic").read_bytes(), Limits()).pixels


# Formats


@pytest.mark.parametrize("name", ["plain", "444", "10-bit", "profile", "exif-only"])
def test_colours_are_kept_and_an_orientation_in_exif_alone_is_ignored(name: str):
    assert error(pixels(name), PIXELS) <= 2


def test_grey_is_decoded():
    assert error(pixels("grey"), in_three(GREY)) <= 2


@pytest.mark.parametrize("orientation", range(2, 9))
def test_photos_are_turned_once(orientation: int):
    """These files have the orientation in EXIF too, as those of phones."""
    assert error(pixels(f"turned-{orientation}"), turned(PIXELS, orientation)) <= 2


def test_transparent_pixels_are_white():
    found = pixels("alpha")
    assert (found[:, :36] == 255).all()
    assert error(found[:, 44:], PIXELS[:, 44:]) <= 2


def test_the_main_picture_of_a_burst_is_decoded():
    assert error(pixels("burst-second"), 255 - PIXELS) <= 2


def test_a_grid_of_tiles_is_one_picture():
    found = decode(grid_file(2, 2), Limits()).pixels
    assert found.shape == (128, 160, 3)
    for top, left in ((0, 0), (0, 80), (64, 0), (64, 80)):
        assert error(found[top : top + 60, left : left + 80], PIXELS) <= 2


def test_a_container_built_here_is_decoded():
    assert error(decode(heif({1: (b"hvc1", stream())}), Limits()).pixels[:60], PIXELS) <= 2


# Limits


def test_the_size_is_bounded_before_decoding():
    assert decode(PLAIN, Limits(pixels=2 * 80 * 60)).pixels.shape == (60, 80, 3)
    with pytest.raises(TooManyPixels):
        decode(PLAIN, Limits(pixels=2 * 80 * 60 - 1))
    with pytest.raises(TooManyBytes):
        decode(PLAIN, Limits(bytes=1000))


def test_coded_pixels_count_not_those_that_the_container_states():
    at = PLAIN.index(b"ispe") + 8
    small = PLAIN[:at] + struct.pack(">II", 8, 8) + PLAIN[at + 8 :]
    assert heif_items.read(small).cost.pixels == AREA
    with pytest.raises(TooManyPixels, match="codes 5,120 pixels"):
        decode(small, Limits(pixels=AREA - 1))


def test_a_tile_counts_each_time_it_is_shown():
    assert heif_items.read(grid_file(2, 2, is_repeated=True)).cost.pixels == 8 * AREA
    with pytest.raises(TooManyPixels):
        decode(grid_file(100, 100, is_repeated=True), Limits(bytes=100_000_000))
    with pytest.raises(ImageTooCostly, match=r"decodes 2,[\d,]+ bytes"):
        decode(grid_file(50, 50, is_repeated=True), Limits(bytes=1_000_000))


def test_a_second_picture_in_one_stream_counts():
    assert heif_items.read(heif({1: (b"hvc1", stream() * 3)})).cost.pixels == 3 * AREA


def test_a_picture_that_refers_to_others_counts_the_ones_that_a_decoder_makes_up():
    unit = bytearray(stream())
    at = 0
    while unit[at + 4] >> 1 & 63 > 31:
        at += 4 + int.from_bytes(unit[at : at + 4], "big")
    unit[at + 4] = 1 << 1
    assert heif_items.read(heif({1: (b"hvc1", bytes(unit))})).cost.pixels == 17 * AREA


def test_the_canvas_of_a_grid_counts():
    items = {1: (b"grid", grid(1, 1, width=60_000, height=60_000)), 2: (b"hvc1", stream())}
    with pytest.raises(TooManyPixels):
        decode(heif(items, references=reference(b"dimg", 1, [2])), Limits())


def test_pictures_within_each_other_are_bounded():
    chain = dict.fromkeys(range(1, 12), (b"iden", b"")) | {12: (b"hvc1", stream())}
    links = b"".join(reference(b"dimg", n, [n + 1]) for n in range(1, 12))
    with pytest.raises(ImageTooCostly):
        decode(heif(chain, references=links), Limits())
    circle = {1: (b"iden", b""), 2: (b"iden", b"")}
    with pytest.raises(ImageTooCostly):
        decode(heif(circle, references=reference(b"dimg", 1, [2]) + reference(b"dimg", 2, [1])), Limits())


def test_metadata_and_profiles_do_not_reach_the_decoder():
    data = (FILES / "exif-only.heic").read_bytes()
    assert b"cdsc" in data
    assert b"cdsc" not in heif_items.read(data).data
    assert b"colrprof" not in heif_items.read((FILES / "profile.heic").read_bytes()).data


# Refusals


@pytest.mark.parametrize("kind", [b"av01", b"jpeg", b"unci", b"vvc1", b"abcd"])
def test_other_codecs_are_named(kind: bytes):
    with pytest.raises(ImageUnsupported, match="HEIF picture"):
        decode(heif({1: (kind, stream())}), Limits())


def test_a_sequence_without_a_picture_is_named():
    with pytest.raises(ImageUnsupported, match="sequence"):
        decode(box(b"ftyp", b"msf1\0\0\0\0msf1hevc") + box(b"moov"), Limits())


def test_what_two_decoders_could_read_differently_is_refused():
    once = heif({1: (b"hvc1", stream())})
    with pytest.raises(ImageDamaged):
        decode(heif({1: (b"hvc1", stream())}, meta=full(b"pitm", b"\0\1")), Limits())
    with pytest.raises(ImageDamaged):
        decode(once + full(b"meta"), Limits())
    with pytest.raises(ImageDamaged):
        decode(heif({1: (b"hvc1", stream())}, owners={1: [1, 1, 2]}), Limits())


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("name", ["plain", "alpha", "turned-6"])
def test_a_file_that_is_cut_short_is_damaged(name: str, share: float):
    data = (FILES / f"{name}.heic").read_bytes()
    with pytest.raises(ImageDamaged):
        decode(data[: int(len(data) * share)], Limits())


def test_random_damage_never_ends_the_process():
    """Files with changed bytes are decoded or refused, in a separate process."""
    script = f"""
import random
from pathlib import Path
from app.errors import PhotoRefused
from app.vision.imaging.decode import Limits, decode
from tests.vision.imaging.test_heif import grid_file
rng = random.Random(1)
files = [path.read_bytes() for path in sorted(Path({str(FILES)!r}).glob("*.heic"))] + [grid_file(2, 2)]
decoded = 0
for _ in range(2000):
    data = bytearray(rng.choice(files))
    for _ in range(rng.choice([1, 1, 2, 8])):
        data[rng.randrange(len(data))] = rng.choice([0, 1, 255, rng.randrange(256)])
    try:
        decode(bytes(data), Limits(pixels=1_000_000))
        decoded += 1
    except PhotoRefused:
        pass
print(decoded)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 200 < int(done.stdout) < 1900


def test_a_header_alone_is_damaged():
    with pytest.raises(ImageDamaged):
        pixels("header-only")
