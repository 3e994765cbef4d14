"""The most expensive photos that the default limits allow, by format and parameter, for hostile_bombs.py."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

import cv2
import numpy as np
from PIL import Image

Photo = Callable[[], bytes]
_SIDE = 7071  # 50 megapixels
_HALF = 5000  # 25: WebP, AVIF, PNG of 16-bit colour
_MOST_BYTES = 20_000_000
_MOST_BYTES_LESS = _MOST_BYTES - 10_000


def photos() -> Iterator[tuple[str, Photo]]:
    """Yield the name of each photo and a function that creates it."""
    for family in (_jpegs, _pngs, _webps, _avifs, _gifs, _tiffs, _bmps, _structures):
        yield from family()


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return the bytes of an image file."""
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def content(kind: str, side: int, mode: str = "RGB") -> Image.Image:
    """Return a picture that is easy, average or hard to compress."""
    rng = np.random.default_rng(0)
    if kind == "flat":
        return Image.new(mode, (side, side), 77)
    if kind == "smooth":
        small = rng.integers(0, 256, (side // 40, side // 40, 3), dtype=np.uint8)
        pixels = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
    else:  # noise that repeats
        pixels = np.tile(rng.integers(0, 256, (side // 10 + 1, side // 10 + 1, 3), dtype=np.uint8), (10, 10, 1))
    return Image.fromarray(np.ascontiguousarray(pixels[:side, :side])).convert(mode)


# JPEG


def _segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def _table(kind: int, symbol: int) -> bytes:
    return _segment(0xC4, bytes([kind, 1]) + bytes(15) + bytes([symbol]))


def scans(
    *, components: int, times: int, kind: str, width: int = _SIDE, height: int = _SIDE, end: bool = True
) -> bytes:
    """Return a JPEG with many almost empty scans.

    `kind`: "first" and "refine" are AC scans with runs of empty blocks, "dc" has a bit per block, "rows" has a restart
    per row.
    """
    across, down = -(-width // 8), -(-height // 8)
    blocks = across * down
    frame = _segment(
        0xC0 if kind == "sequential" else 0xC2,
        struct.pack(">BHHB", 8, height, width, components)
        + b"".join(bytes([name + 1, 0x11, 0]) for name in range(components)),
    )
    all_components = bytes([components]) + b"".join(bytes([name + 1, 0]) for name in range(components))
    parts = [b"\xff\xd8", _segment(0xDB, b"\0" + b"\1" * 64), frame]
    if kind == "sequential":
        for _ in range(times):
            for name in range(components):
                parts += [_table(0, 0), _table(0x10, 0), _segment(0xDA, bytes([1, name + 1, 0, 0, 63, 0]))]
                parts.append(bytes(blocks // 4 + 1))
        return b"".join(parts) + b"\xff\xd9" * end
    parts += [_table(0, 0), _segment(0xDA, all_components + b"\0\0\1"), bytes(blocks * components // 8 + 1)]
    runs = bytes(-(-blocks // 16_384) * 15 // 8 + 1)
    for number in range(times):
        name = number % components + 1
        if kind == "dc":
            parts += [_segment(0xDA, bytes([1, name, 0, 0, 0, 0x10])), bytes(blocks // 8 + 1)]
        else:
            bits = 0x10 if kind == "refine" else 0
            parts += [_table(0x10, 0xE0), _segment(0xDA, bytes([1, name, 0, 1, 63, bits])), runs]
    return b"".join(parts) + b"\xff\xd9" * end


def _jpegs() -> Iterator[tuple[str, Photo]]:
    most = 20  # of 781,456 blocks each
    for components, kind in product((1, 3, 4), ("first", "refine", "dc")):
        for times in (most - components, most // 2):
            yield (
                f"JPEG, {components} components, {times} scans: {kind}",
                partial(scans, components=components, times=times, kind=kind),
            )
    yield "JPEG, sequential, 3 scans", partial(scans, components=3, times=1, kind="sequential")
    yield "JPEG, sequential, 18 scans", partial(scans, components=3, times=6, kind="sequential")
    yield "JPEG without an end marker, 8 scans", partial(scans, components=3, times=6, kind="refine", end=False)
    yield (
        "JPEG of 1,900 scans of a strip",
        partial(scans, components=1, times=1900, kind="refine", width=65_500, height=8),
    )
    yield "JPEG of 4,900 scans of a block", partial(scans, components=1, times=4900, kind="refine", width=8, height=8)
    for mode, progressive, subsampling, quality in product(("L", "RGB", "CMYK"), (False, True), (0, 2), (12, 90)):
        options = {"progressive": progressive, "subsampling": subsampling, "quality": quality}
        for kind in ("smooth", "noise"):
            if quality * (kind == "noise") < 90:  # otherwise larger than the limit
                yield f"JPEG, {mode}, {kind}, {options}", partial(_saved, kind, _SIDE, mode, "JPEG", **options)
    yield "JPEG, restart after each row", partial(_saved, "smooth", _SIDE, "RGB", "JPEG", restart_marker_blocks=1)


def _saved(kind: str, side: int, mode: str, name: str, **options: object) -> bytes:
    return saved(content(kind, side, mode), name, **options)


# PNG


def _png(*, side: int, depth: int, colour: int, filtered: int, interlace: int, noise: int) -> bytes:
    """Return a PNG with one filter for all rows; the first `noise` of each 256 bytes of a row are not zero."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    length = (side * depth * channels + 7) // 8
    rng = np.random.default_rng(0)
    row = np.zeros(length, np.uint8)
    row[: length * noise // 256] = rng.integers(0, 256, length * noise // 256)
    rows = [bytes([filtered]) + row.tobytes()] * side
    if interlace:  # seven passes; a row has as many pixels as its pass has columns
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
        rows = []
        for left, top, across, down in passes:
            columns, count = -(-(side - left) // across), -(-(side - top) // down)
            rows += [bytes([filtered]) + row.tobytes()[: (columns * depth * channels + 7) // 8]] * count
    packer = zlib.compressobj(1)
    packed = b"".join([*(packer.compress(each) for each in rows), packer.flush()])
    header = struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, interlace)
    palette = chunk(b"PLTE", bytes(768)) + chunk(b"tRNS", b"\1") if colour == 3 else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + palette + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _pngs() -> Iterator[tuple[str, Photo]]:
    for (depth, colour), interlace, filtered, noise in product(
        ((1, 0), (8, 0), (16, 0), (8, 2), (16, 2), (8, 3), (8, 4), (16, 4), (8, 6), (16, 6)),
        (0, 1),
        (3, 4),
        (0, 200),
    ):
        length = max(3, {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour] * max(8, depth) // 8 * (1 + interlace))
        side = int((_SIDE * _SIDE * 3 / length) ** 0.5)
        named = {"depth": depth, "colour": colour, "interlace": interlace, "filtered": filtered, "noise": noise}
        yield f"PNG, {named}", partial(_png, side=side, **named)


# WebP, AVIF, GIF, TIFF, BMP


def _webps() -> Iterator[tuple[str, Photo]]:
    for mode, kind, lossless, quality in product(("RGB", "RGBA"), ("smooth", "noise"), (False, True), (5, 60)):
        named = {"lossless": lossless, "quality": quality}
        yield f"WebP, {mode}, {kind}, {named}", partial(_saved, kind, _HALF, mode, "WEBP", method=0, **named)
    yield "WebP, transparent ramps, lossless", _ramps


def _ramps() -> bytes:
    small = np.random.default_rng(0).integers(0, 256, (12, 12, 4), dtype=np.uint8)
    ramps = Image.fromarray(cv2.resize(small, (_HALF, _HALF), interpolation=cv2.INTER_LINEAR).astype(np.uint8))
    return saved(ramps, "WEBP", lossless=True, quality=0, method=0)


def _avifs() -> Iterator[tuple[str, Photo]]:
    for mode, kind, subsampling, quality in product(("RGB", "RGBA"), ("smooth", "noise"), ("4:2:0", "4:4:4"), (20, 70)):
        named = {"subsampling": subsampling, "quality": quality}
        yield f"AVIF, {mode}, {kind}, {named}", partial(_saved, kind, _HALF, mode, "AVIF", speed=9, **named)
    grain = {"codec": "aom", "advanced": {"film-grain-test": "1"}}
    yield "AVIF, grain", partial(_saved, "smooth", _HALF, "RGB", "AVIF", speed=9, **grain)


def _gifs() -> Iterator[tuple[str, Photo]]:
    for kind, interlace in product(("flat", "smooth", "noise"), (0, 1)):
        yield f"GIF, {kind}, interlace {interlace}", partial(_saved, kind, _SIDE, "P", "GIF", interlace=interlace)


def _tiffs() -> Iterator[tuple[str, Photo]]:
    names = ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd")
    for name, mode, kind in product(names, ("L", "RGB", "RGBA", "CMYK", "LAB", "F", "I;16"), ("flat", "smooth")):
        if not (name == "jpeg" and mode in {"RGBA", "LAB", "F", "I;16"}) and not (
            kind == "smooth" and mode in {"LAB", "I;16"}
        ):
            yield f"TIFF, {name}, {mode}, {kind}", partial(_saved, kind, _SIDE, mode, "TIFF", compression=name)
    yield "TIFF, fax", partial(_saved, "smooth", _SIDE, "1", "TIFF", compression="group4")
    for across, down in ((_SIDE, 1), (16, 16), (64, 64)):
        yield f"TIFF in pieces of {across} x {down}", partial(_pieces, across, down)


def _pieces(across: int, down: int) -> bytes:
    """Return a grey TIFF with the maximum number of pieces, all with the same bytes."""
    columns = max(1, min(_SIDE // across, 300))
    rows = min(_SIDE // down, 99_000 // columns)
    many, size = columns * rows, across * down
    body = bytes(size) + struct.pack("<I", 8) * many + struct.pack("<I", size) * many
    places = (8 + size, 8 + size + 4 * many)
    tags = {256: (4, 1, columns * across), 257: (4, 1, rows * down), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1)}
    tags |= {277: (3, 1, 1)}
    if across == _SIDE:
        tags |= {273: (4, many, places[0]), 278: (4, 1, down), 279: (4, many, places[1])}
    else:
        tags |= {322: (4, 1, across), 323: (4, 1, down), 324: (4, many, places[0]), 325: (4, many, places[1])}
    entries = b"".join(struct.pack("<HHII", tag, *value) for tag, value in sorted(tags.items()))
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + struct.pack("<H", len(tags)) + entries + bytes(4)


def _bmps() -> Iterator[tuple[str, Photo]]:
    for mode in ("1", "L"):
        yield f"BMP, {mode}", partial(_saved, "flat", _SIDE if mode == "1" else 4400, mode, "BMP")
    for name, codes in (
        ("one pixel and an end", b"\1\1\0\0"),
        ("ends alone", b"\1\1" + b"\0\0" * 3),
        ("runs", b"\1\1"),
    ):
        yield f"BMP, runs: {name}", partial(_runs, codes)


def _runs(codes: bytes) -> bytes:
    side = 1250
    data = codes * min(side * side if codes == b"\1\1" else 3 * side * side // len(codes), 4_500_000 // len(codes))
    header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(data), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(data), 0, 0, 1078) + header + bytes(1024) + data


# Many structures, few pixels


def _structures() -> Iterator[tuple[str, Photo]]:
    small = Image.new("RGB", (64, 64))
    jpeg, png, gif = saved(small, "JPEG"), saved(small, "PNG"), saved(small.quantize(), "GIF")
    many = 4_000_000
    start = 13 + 3 * (2 << (gif[10] & 7))
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 5000) + struct.pack("<HHII", 0x110, 3, 1, 0) * 5000
    yield "JPEG of 4 million comments", lambda: jpeg[:2] + b"\xff\xfe\0\2" * many + jpeg[2:]
    yield "JPEG of 300 EXIFs of 5,000 entries", lambda: jpeg[:2] + _segment(0xE1, exif) * 300 + jpeg[2:]
    yield "JPEG of 20 MB of 0xFF", lambda: jpeg[:2] + b"\xff" * _MOST_BYTES_LESS + jpeg[2:]
    yield "JPEG of 20 MB of 0xFF00", lambda: jpeg[:-2] + b"\xff\0" * (_MOST_BYTES_LESS // 2) + jpeg[-2:]
    yield "JPEG of 20 MB of restarts", lambda: jpeg[:-2] + b"\xff\xd0" * (_MOST_BYTES_LESS // 2) + jpeg[-2:]
    yield "PNG of 99,000 chunks", lambda: png[:33] + chunk(b"abCd", b"") * 99_000 + png[33:]
    yield "PNG of 1.6 million chunks", lambda: png[:33] + chunk(b"IDAT", b"") * 1_600_000 + png[33:]
    text = chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(20_000_000), 9))
    yield "PNG of texts of 20 MB", lambda: png[:33] + text * 900 + png[33:]
    yield "GIF of 99,000 blocks", lambda: gif[:start] + b"\x21\xfe\0" * 49_000 + gif[start:]
    yield "GIF of 6 million blocks", lambda: gif[:start] + b"\x21\xfe\0" * 6_000_000 + gif[start:]
    tones = [Image.new("RGB", (64, 64), (each * 91 % 256, each * 37 % 256, 0)) for each in range(200)]
    webp = saved(tones[0], "WEBP", save_all=True, append_images=tones[1:3])
    at = webp.index(b"ANMF")
    one = webp[at : at + 8 + int.from_bytes(webp[at + 4 : at + 8], "little")]
    body = webp[12:at] + one * 50_000
    yield "WebP of 50,000 frames", lambda: b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
    yield "AVIF of 200 frames", lambda: saved(tones[0], "AVIF", save_all=True, append_images=tones[1:], speed=10)
