"""The cost of a photo is bounded before it is decoded. benchmarks/hostile_bombs.py searches for worse photos."""

import io
import struct

import pytest
from PIL import Image as Pillow

from app.errors import ImageTooCostly, TooManyPixels
from app.vision.imaging.avif import coded_pixels
from app.vision.imaging.decode import Limits, decode

SIDE = 1600
BLOCKS = (SIDE // 8) ** 2


def segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def scan(first: int, last: int, bits: int, data: bytes) -> bytes:
    return segment(0xDA, bytes([1, 1, 0, first, last, bits])) + data


DC = segment(0xC4, b"\0\1" + bytes(16)) + scan(0, 0, 0, bytes(BLOCKS // 8))
RUNS = segment(0xC4, b"\x10\1" + bytes(15) + b"\xe0") + scan(1, 63, 0x10, bytes(8))  # end of 16,384 blocks in 15 bits


def progressive(*scans: bytes, side: int = SIDE) -> bytes:
    frame = segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0")
    return b"\xff\xd8" + segment(0xDB, b"\0" + b"\1" * 64) + frame + b"".join(scans) + b"\xff\xd9"


def saved(kind: str, picture: Pillow.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def test_scans_of_a_jpeg_are_bounded_by_the_blocks_that_they_visit():
    most = 16_000_000 // BLOCKS
    assert decode(progressive(DC, *[RUNS] * 20), Limits()).pixels.shape == (SIDE, SIDE, 3)
    with pytest.raises(ImageTooCostly):
        decode(progressive(DC, *[RUNS] * most), Limits())


def test_scans_hidden_in_what_looks_like_a_segment_are_counted():
    hidden = DC + b"\xff\x02\xff\xff" + RUNS * (16_000_000 // BLOCKS)
    with pytest.raises(ImageTooCostly):
        decode(progressive(hidden), Limits())


def test_scans_that_refine_are_bounded_by_their_bytes_too():
    """Each refinement bit may take a third of the time of an empty block."""
    first = segment(0xC4, b"\x10\1" + bytes(15) + b"\1") + scan(1, 63, 1, bytes([0b01010101]) * (BLOCKS * 63 // 4))
    refining = segment(0xC4, b"\x10\1" + bytes(15) + b"\xe0") + scan(1, 63, 0x10, bytes(BLOCKS * 8))
    assert decode(progressive(DC, first, *[refining] * 20), Limits()).pixels.shape == (SIDE, SIDE, 3)
    with pytest.raises(ImageTooCostly):
        decode(progressive(DC, first, *[refining] * 45), Limits())  # 2 million blocks, 14 million bytes


def test_tiny_scans_and_segments_are_bounded_by_number():
    for many in (scan(1, 63, 0, b"\0"), segment(0xFE, b""), segment(0xC4, b"\0\1" + bytes(16))):
        with pytest.raises(ImageTooCostly):
            decode(progressive(DC, many * 10_001), Limits())


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_an_honest_progressive_jpeg_is_far_within_the_bounds(mode: str, subsampling: int):
    data = saved("JPEG", Pillow.new(mode, (4000, 3000)), progressive=True, subsampling=subsampling)
    assert max(decode(data, Limits()).pixels.shape) == 4000


def test_a_jpeg_of_many_scans_is_not_decoded_twice():
    """A reduced photo is decoded again if its faces are small."""
    assert decode(progressive(DC, *[RUNS] * 20), Limits(), enough=100).reduction == 8
    assert decode(progressive(DC, *[RUNS] * 300), Limits(), enough=100).reduction == 1


def test_jpegs_within_a_tiff_are_bounded_together():
    strip = progressive(DC, *[RUNS] * 60)  # libtiff itself allows 100
    tags = {256: SIDE, 257: SIDE, 258: 8, 259: 7, 262: 1, 273: 8, 277: 1, 278: SIDE, 279: len(strip)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    for times, is_costly in ((1, False), (40, True)):
        body = strip
        offsets, lengths = struct.pack(f"<{times}I", *[8] * times), struct.pack(f"<{times}I", *[len(strip)] * times)
        if times > 1:
            at = 8 + len(strip)
            tags_at = {273: at, 279: at + 4 * times}
            entries = b"".join(
                struct.pack("<HHII", tag, 4, times if tag in tags_at else 1, tags_at.get(tag, value))
                for tag, value in (tags | {278: SIDE // times}).items()
            )
            body = strip + offsets + lengths
        data = b"II*\0" + struct.pack("<I", 8 + len(body)) + body + struct.pack("<H", len(tags)) + entries + bytes(4)
        try:
            decode(data, Limits())
        except ImageTooCostly:
            assert is_costly
        else:
            assert not is_costly


def test_a_tiff_of_pieces_without_number_is_refused():
    pieces = 200_000
    tags = {256: 8, 257: pieces, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 8}
    counts = {273: pieces, 279: pieces}
    entries = b"".join(struct.pack("<HHII", tag, 4, counts.get(tag, 1), value) for tag, value in tags.items())
    body = bytes(4 * pieces)
    with pytest.raises(ImageTooCostly):
        decode(b"II*\0" + struct.pack("<I", 8 + len(body)) + body + b"\x09\0" + entries + bytes(4), Limits())


def test_chunks_and_blocks_without_number_are_refused():
    png = saved("PNG", Pillow.new("L", (8, 8)))
    with pytest.raises(ImageTooCostly):
        decode(png[:33] + (bytes(4) + b"abCd" + bytes(4)) * 100_001 + png[33:], Limits())
    gif = saved("GIF", Pillow.new("L", (8, 8)))
    start = 13 + 3 * (2 << (gif[10] & 7))
    with pytest.raises(ImageTooCostly):
        decode(gif[:start] + b"\x21\xfe\0" * 100_001 + gif[start:], Limits())


def test_the_pixels_of_an_avif_are_those_that_it_codes():
    data = saved("AVIF", Pillow.new("RGB", (800, 660)), speed=10)
    assert coded_pixels(data) == 800 * 660
    at = data.index(b"ispe") + 8
    with pytest.raises(TooManyPixels):
        decode(data[:at] + struct.pack(">II", 64, 64) + data[at + 8 :], Limits(pixels=500_000))


@pytest.mark.parametrize("options", [{}, {"subsampling": "4:4:4", "quality": 90}, {"autotiling": True}])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_the_pixels_of_honest_avifs_are_counted(mode: str, options: dict[str, object]):
    planes = 2 if mode == "RGBA" else 1
    assert coded_pixels(saved("AVIF", Pillow.new(mode, (320, 200)), **options)) == planes * 320 * 200
    frames = saved("AVIF", Pillow.new(mode, (320, 200)), save_all=True, append_images=[Pillow.new(mode, (320, 200))])
    assert 320 * 200 * planes <= coded_pixels(frames) <= 4 * 320 * 200 * planes * 2


def test_webp_and_avif_may_have_half_as_many_pixels():
    for kind in ("WEBP", "AVIF"):
        with pytest.raises(TooManyPixels):
            decode(saved(kind, Pillow.new("RGB", (100, 60))), Limits(pixels=11_999))
        assert decode(saved(kind, Pillow.new("RGB", (100, 60))), Limits(pixels=12_000)).pixels.shape == (60, 100, 3)
