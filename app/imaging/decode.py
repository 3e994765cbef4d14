"""Photo bytes to upright RGB pixels, with limits that hold before the pixels are allocated."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

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
_STRIP_PIXELS = 1_000_000
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
    """Convert strip by strip: beside the decoded photo only its RGB pixels are ever held as a whole."""
    header.load()
    ImageOps.exif_transpose(header, in_place=True)
    to_rgb = _converter(header)
    pixels = np.empty((header.height, header.width, 3), np.uint8)
    for strip, top in _strips(header):
        pixels[top : top + strip.height] = to_rgb(strip)
    return pixels


def _strips(image: Pillow.Image) -> Iterator[tuple[Pillow.Image, int]]:
    """Yield the photo in strips of full width, each with its first row."""
    rows = max(1, _STRIP_PIXELS // max(1, image.width))
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height))), top


def _converter(image: Pillow.Image) -> Callable[[Pillow.Image], Pixels]:
    """Return what makes (height, width, 3) RGB of strips of a photo."""
    if image.mode.startswith(("I", "F")):
        return partial(_from_deep_grey, full=_full_scale(image))
    if image.has_transparency_data:
        return _on_white
    return lambda strip: np.asarray(strip.convert("RGB"))


def _on_white(strip: Pillow.Image) -> Pixels:
    coloured = strip.convert("RGBA")
    white = Pillow.new("RGBA", coloured.size, "white")
    return np.asarray(Pillow.alpha_composite(white, coloured).convert("RGB"))


def _full_scale(image: Pillow.Image) -> float:
    """Return what white is: for integers that of 16 bits, for floats 1, or 255 where any exceeds 1."""
    if image.mode.startswith("I"):
        return 65535.0
    highest = max((np.nan_to_num(np.asarray(strip)).max(initial=0) for strip, _ in _strips(image)), default=0)
    return 1.0 if highest <= 1 else 255.0


def _from_deep_grey(strip: Pillow.Image, *, full: float) -> Pixels:
    """Scale grey to 8 bits."""
    grey = np.nan_to_num(np.asarray(strip)).astype(np.float64)  # in this order: infinity would overflow below
    levels = np.clip(grey * (255 / full), 0, 255).astype(np.uint8)
    return np.repeat(levels[:, :, None], 3, axis=2)
