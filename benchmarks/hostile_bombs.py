"""Small files that expand: photos that decode to gigabytes, and bodies that parse to more than their size.

    python benchmarks/hostile_bombs.py                # search for the photo that is most expensive to decode
    python benchmarks/hostile_bombs.py --only JPEG    # only photos with this prefix

The search creates about 250 photos (`costly_photos.py`), each as expensive as the default limits allow, and prints the
CPU seconds of decoding, the highest last. A photo that is decoded reduced is then decoded whole, as analysis does for
small faces. Exit status 1 if a photo takes more than 2 seconds. `hostile.py` sends `photos` and `bodies` to a service.
"""

import argparse
import base64
import gzip
import io
import json
import struct
import sys
import time
import zlib
from collections.abc import Iterator

import cv2
from costly_photos import photos as costly_photos
from PIL import Image

from app.errors import PhotoRefused
from app.vision.imaging.decode import Limits, decode

_MOST_SECONDS = 2.0
_ENOUGH = 1920  # the size that analysis requests at the default detection side


def _png(width: int, height: int, *, depth: int = 8, colour: int = 0, extra: bytes = b"") -> bytes:
    """Return a PNG of zeros, created without its pixels in memory."""
    channels = {0: 1, 2: 3, 3: 1, 6: 4}[colour]
    row = bytes(1 + (width * depth * channels + 7) // 8)
    packer = zlib.compressobj(9)
    packed = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    palette = _chunk(b"PLTE", b"\0\0\0") + _chunk(b"tRNS", b"\0") if colour == 3 else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + palette
        + extra
        + _chunk(b"IDAT", packed)
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def photos() -> Iterator[tuple[str, bytes]]:
    """Yield photos by name; those of 49 megapixels are within the default limit, so they are decoded."""
    zeros = zlib.compress(bytes(100_000_000), 9)
    small = Image.new("RGB", (64, 64))
    yield "PNG of 900 megapixels", _png(30_000, 30_000)
    yield "PNG of 4 billion x 1", _png(2**31 - 1, 1, depth=1)[:200]
    for name, depth, colour in (
        ("grey", 8, 0),
        ("16 bits", 16, 0),
        ("palette, transparent", 8, 3),
        ("transparent", 8, 6),
    ):
        yield f"PNG of 49 megapixels, {name}", _png(7000, 7000, depth=depth, colour=colour)
    yield "PNG with 100 MB of text", _png(64, 64, extra=_chunk(b"zTXt", b"a\0\0" + zeros))
    yield "PNG with 100 MB of colour profile", _png(64, 64, extra=_chunk(b"iCCP", b"a\0\0" + zeros))
    yield "PNG with more rows than declared", _png(64, 64)[:41] + _chunk(b"IDAT", zeros) + _chunk(b"IEND", b"")
    webp = bytearray(_saved(small, "WEBP", lossless=True))
    webp[21:25] = struct.pack("<I", 16_382 | 16_382 << 14)
    yield "WebP of 268 megapixels", bytes(webp)
    yield "WebP of 49 megapixels, transparent", _saved(Image.new("RGBA", (7000, 7000)), "WEBP", lossless=True, method=0)
    frames = [Image.new("P", (2000, 2000), each % 2) for each in range(200)]
    yield "GIF of 200 frames", _saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    gif = bytearray(_saved(small, "GIF"))
    gif[6:10] = struct.pack("<HH", 65_535, 65_535)
    yield "GIF of 4 gigapixels", bytes(gif)
    jpeg = bytearray(_saved(small, "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", 65_535, 65_535)
    yield "JPEG of 4 gigapixels", bytes(jpeg)
    jpeg[at : at + 4] = struct.pack(">HH", 7000, 7000)
    yield "JPEG of 49 megapixels that ends early", bytes(jpeg)
    bmp = bytearray(_saved(small, "BMP"))
    bmp[18:26] = struct.pack("<ii", 2**31 - 1, 2**31 - 1)
    yield "BMP of 4 exapixels", bytes(bmp)
    for mode in ("F", "I;16", "CMYK"):
        image = Image.new(mode, (7000, 7000))
        yield f"TIFF of 49 megapixels, {mode}", _saved(image, "TIFF", compression="tiff_adobe_deflate")


def bodies() -> Iterator[tuple[str, str, bytes]]:
    """Yield names, content types and bodies for /enroll and other routes that read both."""
    boundary = "multipart/form-data; boundary=x"
    part = b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
    photo = b'--x\r\nContent-Disposition: form-data; name="photos"; filename="a"\r\n\r\n%b\r\n'
    yield "gzip of 500 MB", "application/json; gzip", gzip.compress(b" " * 500_000_000, 9)
    yield "JSON 10 million deep", "application/json", b"[" * 10_000_000
    yield "JSON objects 2 million deep", "application/json", b'{"a":' * 2_000_000
    yield "JSON number of 10 million digits", "application/json", b'{"top_k": ' + b"9" * 10_000_000 + b"}"
    yield (
        "JSON with 2 million names",
        "application/json",
        json.dumps({f"n{each}": 0 for each in range(2_000_000)}).encode(),
    )
    yield "JSON list of 10 million", "application/json", b'{"photos": [' + b"1," * 10_000_000 + b"1]}"
    yield "JSON with 60 MB of base64", "application/json", b'{"photos": ["' + b"A" * 60_000_000 + b'"]}'
    yield "metadata 900 deep", boundary, _form(part % (b"metadata", b'{"a":' * 900 + b"1" + b"}" * 900), photo % b"x")
    yield (
        "metadata 240 deep, in JSON",
        "application/json",
        (b'{"photos": ["' + base64.b64encode(b"x") + b'"], "metadata": ' + b'{"a":' * 190 + b"1" + b"}" * 190 + b"}"),
    )
    yield "100,000 parts", boundary, _form(*[part % (b"name", b"x")] * 100_000)
    yield "100,000 files", boundary, _form(*[photo % b"x"] * 100_000)
    yield "50 files of 1 MB", boundary, _form(*[photo % bytes(1_000_000)] * 50)
    yield "one part with 60 MB of head", boundary, b"--x\r\nX: " + b"y" * 60_000_000
    yield "one field of 60 MB", boundary, _form(part % (b"name", b"y" * 60_000_000))
    yield "60 MB before the first part", boundary, b"y" * 60_000_000
    yield "66 MB", "application/json", b" " * 66_000_000


def _form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--x--\r\n"


def cost(photo: bytes) -> tuple[float, str]:
    """Return the CPU seconds (all threads, better of two tries) to decode a photo, and the outcome."""
    tries = []
    for _ in range(2):
        started = time.process_time()
        try:
            outcome = f"{decode(photo, Limits(), enough=_ENOUGH).reduction}"
            if outcome != "1":
                decode(photo, Limits())
                outcome = f"reduced by {outcome}, then whole"
            else:
                outcome = "decoded"
        except PhotoRefused as error:
            outcome = error.code
        tries.append(time.process_time() - started)
        if tries[0] < _MOST_SECONDS / 4:
            break
    return min(tries), outcome


def main() -> None:
    """Search."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="only photos whose name starts with this text")
    prefix = parser.parse_args().only
    Image.init()
    cv2.setNumThreads(1)
    costs = []
    for name, make in costly_photos():
        if name.startswith(prefix):
            try:
                photo = make()
            except (OSError, ValueError) as error:  # this build of the codec cannot write it
                print(f"{name}: not made: {error}", file=sys.stderr)
                continue
            costs.append((*cost(photo), len(photo), name))
            print(
                f"{costs[-1][0]:6.2f} s  {len(photo):>11,} bytes  {costs[-1][1]}: {name}", file=sys.stderr, flush=True
            )
    for seconds, outcome, size, name in sorted(costs):
        print(f"{seconds:6.2f} s  {size:>11,} bytes  {outcome}: {name}")
    sys.exit(any(seconds > _MOST_SECONDS for seconds, *_ in costs))


if __name__ == "__main__":
    main()
