"""Pictures with odd metadata are decoded. Truncated pictures are refused."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import PngImagePlugin

from app.errors import ImageDamaged, TooManyPixels
from app.types import Pixels
from app.vision.imaging.decode import Limits, decode

LIMITS = Limits()
ODD = Path(__file__).parent / "odd"
HEIGHT, WIDTH = 60, 80
NOISE = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
PICTURE = Pillow.fromarray(cv2.GaussianBlur(NOISE, (0, 0), 2))
ONCE_RIGHT = 6


def saved(kind: str, picture: Pillow.Image = PICTURE, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def tiff_of(*entries: tuple[int, int, int, bytes]) -> bytes:
    """Return EXIF data with these entries: tag, type, count, value of four bytes."""
    packed = b"".join(struct.pack("<HHI", *each[:3]) + each[3] for each in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + bytes(4)


TURNED = (0x0112, 3, 1, struct.pack("<HH", ONCE_RIGHT, 0))
ODD_RESOLUTION = tiff_of(TURNED, (0x011A, 10, 1, struct.pack("<I", 38))) + struct.pack("<ii", -1, 0)
EXIF = {
    "turned": (tiff_of(TURNED), True),
    "odd resolution": (ODD_RESOLUTION, True),
    "unknown type": (tiff_of((0x0110, 99, 7, bytes(4)), TURNED), True),
    "value far away": (tiff_of((0x0110, 2, 2**31, b"\xff" * 4), TURNED), True),
    "maker note outside": (tiff_of(TURNED, (0x927C, 7, 2**32 - 1, b"\xff" * 4)), True),
    "text": (b"not EXIF at all", False),
    "one byte": (b"I", False),
    "directory far away": (b"II*\0" + b"\xff" * 4, False),
    "orientation of no photo": (tiff_of((0x0112, 3, 1, struct.pack("<HH", 99, 0))), False),
    "orientation as text": (tiff_of((0x0112, 2, 4, b"six\0")), False),
    "zeros": (bytes(60), False),
}


def chunk(kind: bytes, data: bytes, checksum: int | None = None) -> bytes:
    crc = zlib.crc32(kind + data) if checksum is None else checksum
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def png_with(*chunks: bytes) -> bytes:
    data = saved("PNG")
    return data[:33] + b"".join(chunks) + data[33:]


def jpeg_with(*segments: tuple[int, bytes], **options: Any) -> bytes:
    data = saved("JPEG", quality=95, **options)
    added = b"".join(b"\xff" + bytes([kind]) + struct.pack(">H", len(body) + 2) + body for kind, body in segments)
    return data[:2] + added + data[2:]


def is_near(pixels: Pixels, expected: Pixels) -> bool:
    return pixels.shape == expected.shape and float(np.abs(pixels.astype(int) - expected).mean()) < 3


@pytest.mark.parametrize("name", ["exif-short.png", "text-3mb.png", "exif-odd-resolution.png", "jpeg-without-eoi.jpg"])
def test_whole_files_of_others_are_decoded(name: str):
    assert decode((ODD / name).read_bytes(), LIMITS).pixels.size


@pytest.mark.parametrize("exif", EXIF)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_of_exif_the_orientation_alone_is_read(kind: str, exif: str):
    data, is_turned = EXIF[exif]
    photo = {
        "JPEG": lambda: jpeg_with((0xE1, b"Exif\0\0" + data)),
        "PNG": lambda: png_with(chunk(b"eXIf", data)),
        "WEBP": lambda: saved("WEBP", exif=data, quality=95),
    }[kind]()
    expected = np.rot90(np.asarray(PICTURE), -1) if is_turned else np.asarray(PICTURE)
    assert is_near(decode(photo, LIMITS).pixels, expected)


TEXTS = {
    "text of 20 MB": chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(20_000_000))),
    "profile of 20 MB": chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(20_000_000))),
    "profile that is none": chunk(b"iCCP", b"profile\0\0nothing"),
    "international text": chunk(b"iTXt", b"note\0\1\0\0\0" + zlib.compress(bytes(20_000_000))),
    "wrong checksum": chunk(b"pHYs", bytes(9), checksum=1),
    "chunks too short": chunk(b"gAMA", b"") + chunk(b"pHYs", b"\1") + chunk(b"cHRM", b"\1") + chunk(b"acTL", b"\1"),
    "animation without frames": chunk(b"acTL", struct.pack(">II", 0, 0)),
    "unknown": chunk(b"abCd", b"x" * 1000),
}


@pytest.mark.parametrize("name", TEXTS)
def test_chunks_that_pixels_do_not_need_do_not_matter(name: str):
    assert (decode(png_with(TEXTS[name]), LIMITS).pixels == np.asarray(PICTURE)).all()


def test_a_png_without_its_end_is_whole_and_one_without_rows_is_not():
    data = saved("PNG", Pillow.fromarray(NOISE))
    assert (decode(data[:-12], LIMITS).pixels == NOISE).all()
    with pytest.raises(ImageDamaged):
        decode(data[: len(data) * 9 // 10], LIMITS)


@pytest.mark.parametrize("kind", [b"IHDR", b"PLTE"])
def test_a_chunk_that_pixels_need_must_be_whole(kind: bytes):
    data = bytearray(saved("PNG", PICTURE.quantize(16)))
    data[data.index(kind) + 5] ^= 1
    with pytest.raises(ImageDamaged):
        decode(bytes(data), LIMITS)


def test_orientations_in_text_are_read_from_png():
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", f"\nexif\n      34\n{tiff_of(TURNED).hex()}\n", zip=True)
    assert decode(saved("PNG", pnginfo=text), LIMITS).pixels.shape == (WIDTH, HEIGHT, 3)
    xmp = PngImagePlugin.PngInfo()
    xmp.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="8"/>')
    assert decode(saved("PNG", pnginfo=xmp), LIMITS).pixels.shape == (WIDTH, HEIGHT, 3)


JPEGS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "without subsampling": {"subsampling": 0},
    "restarts": {"restart_marker_rows": 1},
}


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("name", JPEGS)
def test_a_jpeg_may_lack_its_end_but_no_pixels(name: str, mode: str):
    inks = Pillow.fromarray(np.dstack([NOISE, NOISE[..., 0]]), "CMYK")
    data = saved("JPEG", inks if mode == "CMYK" else Pillow.fromarray(NOISE).convert(mode), **JPEGS[name])
    whole = decode(data, LIMITS).pixels
    assert data.endswith(b"\xff\xd9")
    for end in (b"", b"\xff", b"\0\0\0", b"\xff\xff"):
        for enough in (None, 1):
            assert is_near(decode(data[:-2] + end, LIMITS, enough=enough).pixels, whole)
    start = data.rindex(b"\xff\xda")
    for share in (0.1, 0.5, 0.9, 0.98):
        with pytest.raises(ImageDamaged):
            decode(data[: start + int((len(data) - start) * share)], LIMITS)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("options", [{"restart_marker_rows": 1}, {"restart_marker_blocks": 3, "progressive": True}])
def test_a_jpeg_cut_right_before_or_after_a_restart_is_cut_short(options: dict[str, Any], mode: str):
    data = saved("JPEG", Pillow.fromarray(NOISE).convert(mode), **options)
    start = data.rindex(b"\xff\xda")
    restarts = [at for at in range(start, len(data)) if data[at] == 0xFF and 0xD0 <= data[at + 1] <= 0xD7]
    assert restarts
    for at in restarts:
        for end in (at, at + 2):
            with pytest.raises(ImageDamaged):
                decode(data[:end], LIMITS)


def test_a_progressive_jpeg_whose_last_scans_are_missing_is_cut_short():
    data = saved("JPEG", Pillow.fromarray(NOISE), progressive=True)
    with pytest.raises(ImageDamaged):
        decode(data[: data.rindex(b"\xff\xda")], LIMITS)


@pytest.mark.parametrize(
    "segments",
    [
        [(0xE2, b"ICC_PROFILE\0\7\3" + bytes(100))],
        [(0xE2, b"MPF\0" + b"\xff" * 100)],
        [(0xED, b"Photoshop 3.0\0" + b"8BIM" * 20)],
        [(0xE0, b"JFIF\0\1")],
        [(0xE0, b"JFIF\0\1\1\1\xff\xff\0\0\0\0")],
        [(0xE1, b"http://ns.adobe.com/xap/1.0/\0<broken")],
        [(0xFE, b"\xff\xd8\xff\xda\xff\xd9" * 10)],
        [(0xE1, b"Exif\0\0\xff\xd8\xff\xda\0\0\xff\xd9")],
    ],
    ids=["profile", "several pictures", "Photoshop", "short JFIF", "JFIF", "XMP", "comment", "thumbnail"],
)
def test_segments_that_pixels_do_not_need_do_not_matter(segments: list[tuple[int, bytes]]):
    assert is_near(decode(jpeg_with(*segments), LIMITS).pixels, np.asarray(PICTURE))


def test_bytes_after_the_picture_do_not_matter():
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"):
        assert decode(saved(kind) + b"\xff\xd8trailer" + bytes(1000), LIMITS).pixels.shape == (HEIGHT, WIDTH, 3)


# Depth


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_deep_grey_is_scaled_by_its_content(kind: str, bits: int):
    grey = np.linspace(0, 2**bits - 1, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH).astype(np.uint16)
    pixels = decode(saved(kind, Pillow.fromarray(grey)), LIMITS).pixels[..., 0]
    assert (pixels[0, 0], pixels[-1, -1]) == (0, 255)
    assert 120 <= pixels[HEIGHT // 2, 0] <= 135


# Limits of libraries


def test_the_limit_of_pixels_may_exceed_those_of_the_libraries():
    """Pillow's limit is 178,956,970."""
    large = Limits(pixels=200_000_000)
    header = struct.pack(">IIBBBBB", 14_000, 14_000, 1, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    with pytest.raises(ImageDamaged):
        decode(data, large)
    with pytest.raises(TooManyPixels):
        decode(data, LIMITS)
    photo = saved("JPEG", Pillow.new("L", (13_400, 13_400), 99))
    assert decode(photo, large, enough=1000).pixels.shape == (1675, 1675, 3)
