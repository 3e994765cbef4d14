"""Photo bytes to upright RGB pixels, with limits that hold before the pixels are allocated."""

import io
import struct
import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps

from app.errors import ImageDamaged, NotAnImage, TooManyBytes, TooManyPixels
from app.faces import Pixels

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")  # Pillow opens MPO as a JPEG

# What Pillow's decoders raise on damaged files, found by fuzzing them (tests/imaging/test_decode.py).
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    EOFError,
    OverflowError,
    AttributeError,
    RuntimeError,
    struct.error,
    zlib.error,
    cv2.error,
)
_REDUCED = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}


@dataclass(frozen=True, slots=True)
class Limits:
    """Most bytes and pixels of a photo that is accepted."""

    bytes: int = 20_000_000
    pixels: int = 50_000_000


@dataclass(frozen=True, slots=True)
class Image:
    """A decoded photo: `pixels` (height, width, 3), RGB, uint8, EXIF orientation applied; animations: first frame.

    `reduction` is 1, 2, 4 or 8: how many pixels of the original one pixel stands for in each direction.
    """

    pixels: Pixels
    reduction: int = 1


def decode(data: bytes, limits: Limits, *, enough: int | None = None) -> Image:
    """Decode a photo. 16-bit, grey, CMYK, palette and transparent photos become RGB (transparent: on white).

    With `enough`, a JPEG may come reduced as long as its longer side keeps at least `enough` pixels: it is decoded at
    that size, for a fraction of the work. Raises TooManyBytes, TooManyPixels (both before decoding), NotAnImage or
    ImageDamaged.
    """
    if len(data) > limits.bytes:
        raise TooManyBytes(f"the photo has {len(data):,} bytes; at most {limits.bytes:,} are accepted")
    with _opened(data, limits) as header:
        width, height = header.size
        if width * height > limits.pixels:
            raise TooManyPixels(f"the photo has {width} x {height} pixels; at most {limits.pixels:,} are accepted")
        try:
            if header.format in {"JPEG", "MPO"} and header.mode in {"RGB", "L"}:
                return _decode_jpeg(data, _reduction(max(width, height), enough))
            return Image(_decode_other(header))
        except _DECODER_ERRORS as error:
            raise ImageDamaged(f"the {header.format} image is cut short or damaged") from error


def _opened(data: bytes, limits: Limits) -> Pillow.Image:
    try:
        return Pillow.open(io.BytesIO(data), formats=FORMATS)
    except Pillow.DecompressionBombError as error:
        raise TooManyPixels(f"the photo has too many pixels; at most {limits.pixels:,} are accepted") from error
    except _DECODER_ERRORS as error:
        if _is_begun(data):
            raise ImageDamaged("the image is cut short or damaged") from error
        raise NotAnImage(f"the bytes are not an image of a supported format ({', '.join(FORMATS)})") from error


def _is_begun(data: bytes) -> bool:
    """Say whether the first bytes are those of a supported format."""
    Pillow.init()  # knows every format only after this
    accepts = [Pillow.OPEN[name][1] for name in FORMATS]
    return any(accept is not None and accept(data[:16]) for accept in accepts)


def _reduction(longer_side: int, enough: int | None) -> int:
    if enough is None:
        return 1
    return max((factor for factor in _REDUCED if longer_side // factor >= enough), default=1)


def _decode_jpeg(data: bytes, reduction: int) -> Image:
    flags = _REDUCED.get(reduction, cv2.IMREAD_COLOR)
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)  # applies the EXIF orientation
    if pixels is None:
        raise ImageDamaged("the JPEG image is cut short or damaged")
    return Image(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False), reduction)


def _decode_other(header: Pillow.Image) -> Pixels:
    header.load()
    upright = ImageOps.exif_transpose(header)
    if upright.mode.startswith(("I", "F")):
        return _from_deep_grey(np.asarray(upright))
    if upright.has_transparency_data:
        coloured = upright.convert("RGBA")
        white = Pillow.new("RGBA", coloured.size, "white")
        return np.asarray(Pillow.alpha_composite(white, coloured).convert("RGB"))
    return np.asarray(upright.convert("RGB"))


def _from_deep_grey(values: np.typing.NDArray[np.generic]) -> Pixels:
    """Scale grey (height, width) to 8 bits: integers from 16 bits, floats from 0..1 (or 0..255 where any exceeds 1)."""
    grey = np.nan_to_num(values).astype(np.float64)  # in this order: infinity would overflow below
    full = 65535.0 if values.dtype.kind in "iu" else (1.0 if grey.max(initial=0) <= 1 else 255.0)
    levels = np.clip(grey * (255 / full), 0, 255).astype(np.uint8)
    return np.repeat(levels[:, :, None], 3, axis=2)
