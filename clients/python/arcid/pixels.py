"""Photos in memory: NumPy arrays and images of Pillow as PNG files, without a need for either package."""

import io
import struct
import zlib
from importlib import import_module
from typing import Any

_COLOUR_TYPES = {2: 0, 3: 2}  # of PNG, by the number of dimensions: grey, RGB
_LEVEL = 1  # the service is usually near; a better compression takes longer than it saves


def is_in_memory(photo: object) -> bool:
    """Return whether a photo is an array or an image of Pillow."""
    return _is_array(photo) or _is_pillow(photo)


def png_of(photo: Any) -> bytes:
    """Return an array or an image as a PNG file. Raises TypeError if an array is not RGB or grey, 8 bits each."""
    return _array_png(photo) if _is_array(photo) else _pillow_png(photo)


def _is_array(photo: object) -> bool:
    return hasattr(photo, "__array_interface__") and hasattr(photo, "tobytes") and not _is_pillow(photo)


def _is_pillow(photo: object) -> bool:
    return hasattr(photo, "getexif") and hasattr(photo, "convert")


def _pillow_png(image: Any) -> bytes:
    upright = import_module("PIL.ImageOps").exif_transpose(image)  # the PNG has no orientation
    file = io.BytesIO()
    upright.convert("RGB").save(file, "PNG", compress_level=_LEVEL)
    return file.getvalue()


def _array_png(array: Any) -> bytes:
    colour = _COLOUR_TYPES.get(len(array.shape))
    if colour is None or str(array.dtype) != "uint8" or array.shape[2:] not in {(), (3,)} or 0 in array.shape:
        raise TypeError(
            f"an array of shape {array.shape} and type {array.dtype} is not a photo: pass uint8 of shape "
            "(height, width, 3), RGB, or (height, width), grey; OpenCV's BGR becomes RGB by array[:, :, ::-1]"
        )
    height, width = array.shape[:2]
    pixels = array.tobytes()
    row = len(pixels) // height
    lines = b"".join(b"\0" + pixels[at : at + row] for at in range(0, len(pixels), row))
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines, _LEVEL)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
