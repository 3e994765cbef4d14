import functools
import io
import struct
import subprocess
import sys
import zlib
from collections import Counter
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from app.errors import ImageDamaged, ImageUnsupported, NotAnImage, PhotoRefused, TooManyBytes, TooManyPixels
from app.types import Pixels
from app.vision.imaging.decode import Image, Limits, decode

LIMITS = Limits()
SMALL_LIMITS = Limits(bytes=1_000_000, pixels=2_000_000)
ORIENTATION = 0x0112
WIDTH, HEIGHT = 80, 60


def saved(picture: Pillow.Image, kind: str, **options: Any) -> bytes:
    """Return the picture as a file, with an EXIF orientation if given."""
    if orientation := options.pop("orientation", None):
        options["exif"] = Pillow.Exif()
        options["exif"][ORIENTATION] = orientation
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def smooth(width: int = WIDTH, height: int = HEIGHT) -> Pixels:
    """Return a picture without symmetry or fine detail, which survives lossy compression."""
    y, x = np.mgrid[:height, :width] / [[[height]], [[width]]]
    planes = [x, y, (x + 2 * y) / 3]
    return (np.stack(planes, axis=-1) * 200 + 20).astype(np.uint8)


PIXELS = smooth()
PICTURE = Pillow.fromarray(PIXELS)
OTHER = Pillow.fromarray(255 - PIXELS)
GREY = PIXELS[..., 2]
DEEP = GREY.astype(np.uint16) * 257


def error(pixels: Pixels, expected: Pixels) -> float:
    """Mean difference in grey levels."""
    assert pixels.shape == expected.shape
    assert pixels.dtype == np.uint8
    return float(np.abs(pixels.astype(int) - expected).mean())


def in_three(grey: Pixels) -> Pixels:
    return np.repeat(grey[..., None], 3, axis=2)


def turned(pixels: Pixels, orientation: int) -> Pixels:
    """Apply an EXIF orientation as the standard defines it: by the edges where stored row 0 and column 0 are shown."""
    across = pixels.transpose(1, 0, 2)
    return {
        1: pixels,  # top, left
        2: pixels[:, ::-1],  # top, right
        3: pixels[::-1, ::-1],  # bottom, right
        4: pixels[::-1],  # bottom, left
        5: across,  # left, top
        6: across[:, ::-1],  # right, top
        7: across[::-1, ::-1],  # right, bottom
        8: across[::-1],  # left, bottom
    }[orientation]


# Formats


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95}, 2),
        ("JPEG", {"progressive": True, "quality": 95}, 2),
        ("MPO", {"quality": 95}, 2),
        ("PNG", {}, 0),
        ("PNG", {"interlace": 1}, 0),
        ("WEBP", {"quality": 95}, 2),
        ("WEBP", {"lossless": True}, 0),
        ("BMP", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("TIFF", {"compression": "jpeg", "quality": 95}, 2),
        ("AVIF", {"quality": 95}, 2),
    ],
)
def test_every_format_gives_its_pixels(kind: str, options: dict[str, Any], tolerance: float):
    image = decode(saved(PICTURE, kind, **options), LIMITS)
    assert error(image.pixels, PIXELS) <= tolerance
    assert image.reduction == 1


def test_gif_gives_its_palette():
    palette = PICTURE.quantize(64)
    assert error(decode(saved(palette, "GIF"), LIMITS).pixels, np.asarray(palette.convert("RGB"))) == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (7, 5)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_any_size_is_kept(kind: str, size: tuple[int, int]):
    assert decode(saved(Pillow.new("RGB", size, "red"), kind), LIMITS).pixels.shape == (*size[::-1], 3)


def test_pixels_can_be_handed_to_opencv_as_they_are(portrait: bytes):
    for kind in ("JPEG", "PNG", "TIFF"):
        assert cv2.resize(decode(saved(PICTURE, kind), LIMITS).pixels, (9, 9)).shape == (9, 9, 3)
    assert decode(portrait, LIMITS).pixels.shape == (512, 512, 3)


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("kind", "tolerance"), [("JPEG", 2), ("PNG", 0), ("WEBP", 2), ("TIFF", 0), ("AVIF", 2)])
def test_photos_are_turned_upright(kind: str, tolerance: float, orientation: int):
    image = decode(saved(PICTURE, kind, orientation=orientation), LIMITS)
    assert error(image.pixels, turned(PIXELS, orientation)) <= tolerance


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_print_jpegs_are_turned_upright(mode: str, orientation: int):
    picture = PICTURE.convert(mode)
    image = decode(saved(picture, "JPEG", orientation=orientation, quality=95), LIMITS)
    assert error(image.pixels, turned(np.asarray(picture.convert("RGB")), orientation)) <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("kind", "mode"), [("PNG", "I;16"), ("TIFF", "I;16"), ("TIFF", "I;16B"), ("TIFF", "F")])
def test_deep_grey_is_turned_upright(kind: str, mode: str, orientation: int):
    values = {"I;16": DEEP, "I;16B": DEEP.astype(">u2"), "F": GREY.astype(np.float32)}[mode]
    picture = Pillow.fromarray(values)
    assert picture.mode == mode
    image = decode(saved(picture, kind, orientation=orientation), LIMITS)
    assert error(image.pixels, turned(in_three(GREY), orientation)) == 0


@pytest.mark.parametrize("orientation", [0, 9, 65535])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_an_orientation_that_does_not_exist_changes_nothing(kind: str, orientation: int):
    data = saved(PICTURE, kind, orientation=orientation) if orientation else saved(PICTURE, kind)
    assert error(decode(data, LIMITS).pixels, PIXELS) <= 2


# Reduced decoding


@pytest.fixture(scope="module")
def large() -> Pillow.Image:
    rng = np.random.default_rng(0)
    patches = Pillow.fromarray(rng.integers(0, 256, (9, 13, 3), dtype=np.uint8))
    return patches.resize((1304, 896), Pillow.Resampling.BICUBIC)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("enough", [160, 300, 640, 1300])
def test_a_reduced_jpeg_is_the_same_picture_smaller(large: Pillow.Image, enough: int, orientation: int):
    data = saved(large, "JPEG", orientation=orientation, quality=95)
    whole, reduced = decode(data, LIMITS), decode(data, LIMITS, enough=enough)
    assert reduced.reduction == {160: 8, 300: 4, 640: 2, 1300: 1}[enough]
    assert enough <= max(reduced.pixels.shape) == 1304 // reduced.reduction
    height, width = reduced.pixels.shape[:2]
    expected = cv2.resize(whole.pixels, (width, height), interpolation=cv2.INTER_AREA)
    assert error(reduced.pixels, expected.astype(np.uint8)) < 2


@pytest.mark.parametrize("enough", [*range(1, 40), 119, 120, 121, 239, 240, 241, 479, 480, 481, 100_000])
def test_a_reduced_jpeg_never_falls_below_enough(enough: int):
    width = 480
    image = decode(saved(Pillow.new("RGB", (width, 3)), "JPEG"), LIMITS, enough=enough)
    assert max(image.pixels.shape) >= min(enough, width)
    assert image.pixels.shape[1] == width // image.reduction
    assert image.reduction in {1, 2, 4, 8}
    assert image.reduction == 8 or width // (2 * image.reduction) < enough


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_jpegs_may_be_reduced_or_not(large: Pillow.Image, mode: str):
    picture = large.convert(mode)
    image = decode(saved(picture, "JPEG", quality=95), LIMITS, enough=300)
    assert image.reduction == {"L": 4, "CMYK": 1}[mode]
    height, width = image.pixels.shape[:2]
    expected = cv2.resize(np.asarray(picture.convert("RGB")), (width, height), interpolation=cv2.INTER_AREA)
    assert error(image.pixels, expected.astype(np.uint8)) < 2


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_other_formats_come_whole(kind: str):
    image = decode(saved(PICTURE, kind), LIMITS, enough=1)
    assert (image.pixels.shape, image.reduction) == (PIXELS.shape, 1)


# Depth, palettes, transparency


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "AVIF"])
def test_grey_becomes_three_equal_channels(kind: str):
    pixels = decode(saved(Pillow.fromarray(GREY), kind, quality=95), LIMITS).pixels
    assert error(pixels, in_three(GREY)) <= 2


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_black_and_white_becomes_black_and_white(kind: str):
    pixels = decode(saved(Pillow.fromarray(GREY > 100), kind), LIMITS).pixels
    assert error(pixels, in_three(np.where(GREY > 100, 255, 0).astype(np.uint8))) == 0


def test_print_colours_come_out_right():
    pixels = decode(
        saved(Pillow.new("RGB", (32, 32), (200, 40, 90)).convert("CMYK"), "JPEG", quality=95), LIMITS
    ).pixels
    assert error(pixels, np.full((32, 32, 3), (200, 40, 90), np.uint8)) <= 2


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_range(kind: str):
    values = np.array([[0, 256, 257, 32768, 65280, 65535]], np.uint16)
    pixels = decode(saved(Pillow.fromarray(values), kind), LIMITS).pixels
    assert pixels[0, :, 0].tolist() == [0, 0, 1, 127, 254, 255]


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("kind", [".png", ".tiff"])
def test_sixteen_bit_colour_keeps_its_range(kind: str, channels: int):
    values = np.dstack([PIXELS.astype(np.uint16) * 257, np.full(GREY.shape, 65535, np.uint16)])[..., :channels]
    is_written, data = cv2.imencode(kind, values[..., [2, 1, 0, 3][:channels]])
    assert is_written
    assert error(decode(data.tobytes(), LIMITS).pixels, PIXELS) == 0


@pytest.mark.parametrize("factor", [1, 1 / 255])
def test_floating_point_grey_may_end_at_one_or_at_255(factor: float):
    values = GREY.astype(np.float32) * np.float32(factor)
    assert error(decode(saved(Pillow.fromarray(values), "TIFF"), LIMITS).pixels, in_three(GREY)) <= 1


def test_what_is_no_number_is_black():
    signalling = np.frombuffer(struct.pack("<I", 0x7F800001), np.float32)[0]
    values = np.array([[np.nan, signalling, 0, 0.5, 1]], np.float32)
    pixels = decode(saved(Pillow.fromarray(values), "TIFF"), LIMITS).pixels
    assert pixels[0, :, 0].tolist() == [0, 0, 0, 127, 255]


@pytest.mark.parametrize("odd", [np.inf, -np.inf, -0.5, 1.02, 20, 4095])
def test_floating_point_grey_of_another_scale_is_refused(odd: float):
    values = np.array([[0, 0.5, 1, odd]], np.float32)
    with pytest.raises(ImageUnsupported, match="floating-point grey from"):
        decode(saved(Pillow.fromarray(values), "TIFF"), LIMITS)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF"])
def test_palettes_become_their_colours(kind: str):
    palette = PICTURE.quantize(32)
    assert error(decode(saved(palette, kind), LIMITS).pixels, np.asarray(palette.convert("RGB"))) == 0


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_palette_entry_is_white(kind: str):
    entries = np.zeros((4, 6), np.uint8)
    entries[1:, 2:] = 1
    palette = Pillow.fromarray(entries, "P")
    palette.putpalette([10, 20, 30, 200, 100, 50])
    pixels = decode(saved(palette, kind, transparency=0), LIMITS).pixels
    assert (pixels[0] == 255).all()
    assert (pixels[1:, 2:] == (200, 100, 50)).all()


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_alpha_is_shown_on_white(kind: str):
    alpha = np.repeat(np.array([[0, 128, 255]], np.uint8), 16, axis=1).repeat(16, axis=0)
    colour = np.full((16, 48, 3), (200, 0, 100), np.uint8)
    options: Any = {"WEBP": {"lossless": True}, "AVIF": {"quality": 100, "subsampling": "4:4:4"}}.get(kind, {})
    pixels = decode(saved(Pillow.fromarray(np.dstack([colour, alpha])), kind, **options), LIMITS).pixels
    np.testing.assert_allclose(pixels[8, [4, 24, 44]], [(255, 255, 255), (227, 127, 177), (200, 0, 100)], atol=3)


def test_grey_with_alpha_is_shown_on_white():
    values = np.dstack([np.full((4, 4), 50, np.uint8), np.array([[0, 0, 255, 255]] * 4, np.uint8)])
    assert decode(saved(Pillow.fromarray(values), "PNG"), LIMITS).pixels[0, :, 0].tolist() == [255, 255, 50, 50]


def test_a_transparent_colour_is_white():
    picture = Pillow.new("RGB", (4, 4), (1, 2, 3))
    picture.putpixel((0, 0), (9, 9, 9))
    pixels = decode(saved(picture, "PNG", transparency=(1, 2, 3)), LIMITS).pixels
    assert pixels[0, :2].tolist() == [[9, 9, 9], [255, 255, 255]]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF", "TIFF", "MPO"])
def test_of_several_pictures_the_first_is_taken(kind: str):
    pixels = decode(saved(PICTURE, kind, save_all=True, append_images=[OTHER]), LIMITS).pixels
    assert error(pixels, PIXELS) < 6
    assert error(pixels, 255 - PIXELS) > 20


# Refusals


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"hello",
        b"%PDF-1.7\n",
        bytes(1000),
        b"RIFF\x24\0\0\0WAVEfmt " + bytes(40),
        b"\0\0\0\x18ftypmp42" + bytes(40),
    ],
    ids=["empty", "byte", "text", "PDF", "zeros", "WAV", "MP4"],
)
def test_what_is_no_image_is_refused(data: bytes):
    with pytest.raises(NotAnImage):
        decode(data, LIMITS)


def test_a_format_without_a_mark_is_no_image():
    with pytest.raises(NotAnImage):
        decode(saved(PICTURE, "TGA"), LIMITS)


NOISE = Pillow.fromarray(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "MPO"])
def test_a_photo_cut_short_is_damaged(kind: str, share: float):
    data = saved(NOISE, kind)
    with pytest.raises(ImageDamaged):
        decode(data[: max(16, int(len(data) * share))], LIMITS)


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
@pytest.mark.parametrize("enough", [None, 1])
def test_every_kind_of_jpeg_cut_short_is_damaged(mode: str, enough: int | None):
    data = saved(NOISE.convert(mode), "JPEG")
    with pytest.raises(ImageDamaged):
        decode(data[: len(data) * 3 // 4], LIMITS, enough=enough)


def test_a_photo_of_too_many_bytes_is_refused_unread():
    data = saved(PICTURE, "PNG")
    assert decode(data, Limits(bytes=len(data))).reduction == 1
    with pytest.raises(TooManyBytes):
        decode(data, Limits(bytes=len(data) - 1))
    with pytest.raises(TooManyBytes):
        decode(bytes(101), Limits(bytes=100))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "MPO"])
def test_a_photo_of_too_many_pixels_is_refused(kind: str):
    data, most = saved(PICTURE, kind), WIDTH * HEIGHT * (2 if kind in {"WEBP", "AVIF"} else 1)
    assert decode(data, Limits(pixels=most)).reduction == 1
    for enough in (None, 1):
        with pytest.raises(TooManyPixels):
            decode(data, Limits(pixels=most - 1), enough=enough)


def png_of_one_colour(width: int, height: int) -> bytes:
    """Write a PNG of a single grey, row by row, without holding its pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(width + 1)) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def with_declared_size(kind: str, side: int) -> bytes:
    """Return a small file whose header claims `side` x `side` pixels."""
    data = saved(Pillow.new("RGB", (33, 35)), kind)
    if kind == "JPEG":
        return data.replace(struct.pack(">HH", 35, 33), struct.pack(">HH", side, side), 1)
    if kind == "GIF":
        return data.replace(struct.pack("<HH", 33, 35), struct.pack("<HH", side, side))
    if kind == "BMP":
        return data.replace(struct.pack("<ii", 33, 35), struct.pack("<ii", side, side), 1)
    for old in (33, 35):  # TIFF: width and length, one value each, long or short
        for field in (struct.pack("<HII", 4, 1, old), struct.pack("<HIHH", 3, 1, old, 0)):
            data = data.replace(field, struct.pack("<HII", 4, 1, side))
    return data


# A separate process: the peak memory of the test process may already be higher.
_MEASURE = """
import resource, sys, time
from app.errors import TooManyPixels
from app.vision.imaging.decode import Limits, decode
from PIL import Image
Image.init()
data = sys.stdin.buffer.read()
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
try:
    decode(data, Limits())
except TooManyPixels:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, time.perf_counter() - start)
"""


def cost_of_refusal(data: bytes) -> tuple[int, float]:
    """Decode in a new process; return the growth of its peak memory in KiB until TooManyPixels, and the seconds."""
    done = subprocess.run([sys.executable, "-c", _MEASURE], input=data, capture_output=True, check=True)
    kibibytes, seconds = done.stdout.split()
    return int(kibibytes), float(seconds)


@pytest.mark.parametrize("side", [7_100, 20_000], ids=["just too large", "bomb"])
def test_a_pixel_bomb_is_refused_before_its_pixels_are_there(side: int):
    data = png_of_one_colour(side, side)
    assert len(data) < 3_000_000
    kibibytes, seconds = cost_of_refusal(data)
    assert kibibytes < 16_000
    assert seconds < 0.5


@pytest.mark.parametrize("kind", ["JPEG", "GIF", "BMP", "TIFF"])
def test_a_header_that_claims_too_many_pixels_is_refused(kind: str):
    with pytest.raises(TooManyPixels):
        decode(with_declared_size(kind, 30_000), LIMITS)


def test_the_largest_webp_is_refused_before_its_pixels_are_there():
    extended = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + (b"\xfe\x3f\0" * 2)  # an animation, 16383 x 16383
    first = saved(Pillow.new("RGB", (2, 2)), "WEBP", lossless=True)[12:]
    frame = bytes(6) + b"\1\0\0" * 2 + bytes(4) + first
    chunks = b"WEBP" + extended + b"ANIM" + struct.pack("<I", 6) + bytes(6) + b"ANMF" + struct.pack("<I", len(frame))
    kibibytes, seconds = cost_of_refusal(b"RIFF" + struct.pack("<I", len(chunks + frame)) + chunks + frame)
    assert kibibytes < 16_000
    assert seconds < 0.5


# Damage of all kinds


@functools.cache
def samples() -> dict[str, bytes]:
    """A small file for each way of decoding."""
    turned_picture = PICTURE.rotate(20)
    return {
        "JPEG": saved(PICTURE, "JPEG", orientation=6),
        "progressive": saved(PICTURE, "JPEG", progressive=True),
        "grey JPEG": saved(PICTURE.convert("L"), "JPEG"),
        "CMYK": saved(PICTURE.convert("CMYK"), "JPEG", orientation=8),
        "MPO": saved(PICTURE, "MPO", save_all=True, append_images=[turned_picture]),
        "PNG": saved(PICTURE, "PNG", orientation=6),
        "deep PNG": saved(Pillow.fromarray(DEEP), "PNG"),
        "palette PNG": saved(PICTURE.quantize(16), "PNG", transparency=3),
        "alpha PNG": saved(PICTURE.convert("RGBA"), "PNG"),
        "APNG": saved(PICTURE, "PNG", save_all=True, append_images=[turned_picture]),
        "WebP": saved(PICTURE, "WEBP", orientation=6),
        "lossless WebP": saved(PICTURE, "WEBP", lossless=True),
        "animated WebP": saved(PICTURE, "WEBP", save_all=True, append_images=[turned_picture]),
        "GIF": saved(PICTURE, "GIF"),
        "animated GIF": saved(PICTURE, "GIF", save_all=True, append_images=[turned_picture], transparency=0),
        "BMP": saved(PICTURE, "BMP"),
        "palette BMP": saved(PICTURE.quantize(16), "BMP"),
        "TIFF": saved(PICTURE, "TIFF", orientation=6),
        "LZW TIFF": saved(PICTURE, "TIFF", compression="tiff_lzw"),
        "JPEG TIFF": saved(PICTURE, "TIFF", compression="jpeg"),
        "fax TIFF": saved(PICTURE.convert("1"), "TIFF", compression="group4"),
        "deep TIFF": saved(Pillow.fromarray(DEEP), "TIFF", compression="tiff_deflate"),
        "float TIFF": saved(Pillow.fromarray(GREY.astype(np.float32)), "TIFF"),
        "AVIF": saved(PICTURE, "AVIF", orientation=6),
    }


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Truncate the file, change some bytes, remove a piece, or repeat one."""
    changed = bytearray(data)
    match rng.integers(5):
        case 0:
            return data[: rng.integers(len(data))]
        case 1:
            for _ in range(rng.integers(1, 6)):
                changed[rng.integers(len(data))] = rng.integers(256)
        case 2:
            for _ in range(rng.integers(1, 4)):
                changed[rng.integers(min(len(data), 200))] = rng.choice([0, 1, 127, 128, 255])
        case 3:
            start, end = sorted(rng.integers(len(data), size=2))
            del changed[start:end]
        case _:
            start, end = sorted(rng.integers(len(data), size=2))
            changed[end:end] = data[start:end]
    return bytes(changed)


@pytest.mark.parametrize("name", samples())
def test_a_damaged_photo_is_an_image_or_refused_without_a_warning(name: str):
    rng, outcomes = np.random.default_rng(list(name.encode())), Counter[str]()
    for _ in range(80):
        try:
            image = decode(damaged(samples()[name], rng), SMALL_LIMITS, enough=int(rng.integers(1, 99)))
        except PhotoRefused as refusal:
            outcomes[refusal.code] += 1
        else:
            outcomes["decoded"] += 1
            assert isinstance(image, Image)
            assert image.pixels.dtype == np.uint8
            assert image.pixels.shape[2:] == (3,)
            assert 0 < image.pixels.size <= SMALL_LIMITS.pixels * 3
    assert outcomes["image_damaged"] > 0
    assert set(outcomes) <= {
        "decoded",
        "not_an_image",
        "image_damaged",
        "image_unsupported",
        "image_too_costly",
        "too_many_pixels",
    }


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "F", "I;16"])
def test_strips_make_one_photo(mode, monkeypatch):
    rng = np.random.default_rng(1)
    grey = rng.integers(0, 255, (37, 23), np.uint8)
    if mode in {"F", "I;16"}:
        photo = Pillow.fromarray(grey.astype(np.float32 if mode == "F" else np.uint16) * (1 if mode == "F" else 257))
    else:
        photo = Pillow.fromarray(grey).convert("RGBA" if mode == "RGBA" else mode)
    data = io.BytesIO()
    photo.save(data, "TIFF")
    whole = decode(data.getvalue(), Limits()).pixels
    monkeypatch.setattr("app.vision.imaging.decode._STRIP_PIXELS", 100)
    assert (decode(data.getvalue(), Limits()).pixels == whole).all()
    assert whole.shape == (37, 23, 3)
