"""Decoder of photos: bytes to upright RGB pixels, with limits that are checked before pixels are allocated."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from app.errors import ImageDamaged, ImageUnsupported, TooManyBytes, TooManyPixels
from app.types import Pixels
from app.vision.imaging import gif, heif, jpeg, png, tiff
from app.vision.imaging.avif import coded_pixels
from app.vision.imaging.kinds import is_avif, is_heif, refusal
from app.vision.imaging.orientation import of_exif, of_xmp, upright
from app.vision.imaging.webp import size as webp_size

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIC")
_PILLOW = FORMATS[:-1]  # libheif is asked directly

# Errors of Pillow's decoders for damaged files, found by fuzzing (tests/vision/imaging/test_decode.py).
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
_JPEG = b"\xff\xd8\xff"
_FILLER = bytes(range(1, 200)) * 8  # changes the pixels if the decoder still needs bytes
_MOST_BLOCKS_TO_REDUCE = 4_000_000
_MOST_BYTES_A_PIXEL = 4  # of a TIFF at the pixel limit; with more bytes a pixel it may have fewer pixels
_RUN_FACTOR = 32
_LEAST_WHITE = 128  # lowest maximum of float grey that is read as 0..255; a lower one may belong to another scale
_STRIP_PIXELS = 1_000_000
# OpenCV's flags for a reduced JPEG, without a colour order.
_REDUCED = {2: cv2.IMREAD_REDUCED_GRAYSCALE_2, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4, 8: cv2.IMREAD_REDUCED_GRAYSCALE_8}


@dataclass(frozen=True, slots=True)
class Limits:
    """Largest photo that is accepted, in bytes and in pixels."""

    bytes: int = 20_000_000
    pixels: int = 50_000_000


@dataclass(frozen=True, slots=True)
class Image:
    """A decoded photo: `pixels` (height, width, 3), RGB, uint8, with the EXIF orientation applied.

    Of an animation it is the first frame. `reduction` is the factor by which the photo was shrunk: 1, 2, 4 or 8.
    """

    pixels: Pixels
    reduction: int = 1


def decode(data: bytes, limits: Limits, *, enough: int | None = None) -> Image:
    """Decode a photo to RGB.

    16-bit, grey, CMYK and palette photos are converted; transparent ones are put on white. Metadata is ignored, except
    for the orientation.

    Args:
        data: Content of the file.
        limits: Largest photo that is accepted.
        enough: If given, a JPEG may be shrunk while its longer side keeps at least this many pixels. It is decoded at
            that size, which is faster.

    Raises:
        TooManyBytes, TooManyPixels, ImageTooCostly, ImageUnsupported: Before decoding, except if the range of
            floating-point grey is not known.
        NotAnImage, ImageDamaged: If the bytes are not a photo, or are damaged.
    """
    if len(data) > limits.bytes:
        raise TooManyBytes(limits.bytes, len(data))
    try:
        if data.startswith(_JPEG):
            return _decode_jpeg(jpeg.read(data), limits, enough)
        if is_heif(data):
            return Image(_rgb(heif.picture(data, most_pixels=limits.pixels // 2, most_bytes=limits.bytes // 2)))
        return Image(_decode_other(data, limits))
    except _DECODER_ERRORS as error:
        raise ImageDamaged from error


def _require_pixels(width: int, height: int, most: int) -> None:
    if width * height > most:
        raise TooManyPixels(f"the photo has {width} x {height} pixels; at most {most:,} are accepted")


# JPEG


def _decode_jpeg(file: jpeg.Jpeg, limits: Limits, enough: int | None) -> Image:
    # A file without an end is decoded twice.
    _require_pixels(file.width, file.height, limits.pixels if file.is_ended else limits.pixels // 2)
    file.require_few_scans()
    is_cheap = file.is_ended and file.blocks <= _MOST_BLOCKS_TO_REDUCE  # analysis may decode a reduced photo twice
    reduction = _reduction(max(file.width, file.height), enough) if is_cheap else 1
    if file.components not in {1, 3}:
        reduction = 1
    pixels = _jpeg_pixels(file.data, file.components, reduction)
    if not file.is_ended:
        filled = file.data.removesuffix(jpeg.END) + _FILLER + jpeg.END
        if not np.array_equal(pixels, _jpeg_pixels(filled, file.components, reduction)):
            raise ImageDamaged("JPEG", "cut short")  # bytes after the end would change the pixels
    return Image(upright(pixels, file.orientation), reduction)


def _reduction(longer_side: int, enough: int | None) -> int:
    if enough is None:
        return 1
    return max((factor for factor in _REDUCED if longer_side // factor >= enough), default=1)


def _jpeg_pixels(data: bytes, components: int, reduction: int) -> Pixels:
    if components not in {1, 3}:  # OpenCV does not know Adobe's inverted CMYK
        with Pillow.open(io.BytesIO(data), formats=("JPEG",)) as header:
            return _rgb(header)
    rgb = cv2.imdecode(np.frombuffer(data, np.uint8), _REDUCED.get(reduction, 0) | cv2.IMREAD_COLOR_RGB)
    if rgb is None:
        raise ImageDamaged("JPEG")
    return rgb.astype(np.uint8, copy=False)


# Other formats


def _decode_other(data: bytes, limits: Limits) -> Pixels:
    data, orientation = _checked(data, limits)
    with _opened(data) as header:
        _require_pixels(*header.size, limits.pixels // 2 if header.format == "AVIF" else limits.pixels)
        _require_short_runs(header, limits)
        pixels = _rgb(header)
        if header.format in {"WEBP", "AVIF"}:
            orientation = of_exif(header.info.get("exif", b""))
            orientation = of_xmp(header.info.get("xmp", b"")) if orientation == 1 else orientation
    return upright(pixels, orientation)


def _checked(data: bytes, limits: Limits) -> tuple[bytes, int]:
    """Check the cost of a file before any library opens it; return the bytes to decode and the orientation.

    The orientation is 1 if the decoder applies it or if it is read later.
    """
    most = limits.pixels
    if data.startswith(png.SIGNATURE):
        file = png.read(data)
        _require_pixels(file.width, file.height, most * 3 // max(3, file.bytes_a_pixel))
        return file.data, file.orientation
    if data.startswith(b"GIF8"):
        gif.require_few_blocks(data)
    elif data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        tiff.require_decodable(data, most_bytes=_MOST_BYTES_A_PIXEL * most)
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        _require_pixels(*webp_size(data), most // 2)
    elif is_avif(data):
        if (pixels := coded_pixels(data)) > most:
            raise TooManyPixels(f"the AVIF codes {pixels:,} pixels; at most {most:,} are accepted")
    elif not data.startswith(b"BM"):
        raise refusal(data, FORMATS)
    return data, 1


def _opened(data: bytes) -> Pillow.Image:
    try:
        return Pillow.open(io.BytesIO(data), formats=_PILLOW)
    except UnidentifiedImageError as error:
        if (layout := tiff.layout(data)) is not None:
            raise ImageUnsupported(f"a {layout}", "save it as a PNG") from error
        raise


def _require_short_runs(header: Pillow.Image, limits: Limits) -> None:
    """Raise TooManyPixels for large run-length encoded BMPs, which Pillow decodes in Python."""
    tiles = getattr(header, "tile", ())
    if header.format == "BMP" and tiles and tiles[0][0] == "bmp_rle":
        _require_pixels(*header.size, limits.pixels // _RUN_FACTOR)


def _rgb(header: Pillow.Image) -> Pixels:
    """Return the RGB pixels, converted in strips: no third copy of the photo is held as a whole."""
    header.load()
    to_rgb = _converter(header)
    pixels = np.empty((header.height, header.width, 3), np.uint8)
    for strip, top in _strips(header):
        pixels[top : top + strip.height] = to_rgb(strip)
    return pixels


def _strips(image: Pillow.Image) -> Iterator[tuple[Pillow.Image, int]]:
    """Yield strips of full width, each with the number of its first row."""
    rows = max(1, _STRIP_PIXELS // max(1, image.width))
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height))), top


def _converter(image: Pillow.Image) -> Callable[[Pillow.Image], Pixels]:
    """Return the function that converts strips of a photo to RGB pixels (height, width, 3)."""
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
    """Return the value of white.

    For integers it is the largest value of 8, 10, 12, ... bits, whichever the highest pixel needs: cameras store 10, 12
    or 14 bits in 16. For floats it is 1, or 255 if the highest is at least 128. Raises ImageUnsupported for other
    floats.
    """
    lowest = highest = 0.0
    for strip, _ in _strips(image):
        values = np.nan_to_num(np.asarray(strip), posinf=np.inf, neginf=-np.inf)
        lowest, highest = min(lowest, float(values.min(initial=0))), max(highest, float(values.max(initial=0)))
    if image.mode.startswith("I"):
        bits = max(8, int(highest).bit_length())
        return float(2 ** (bits + bits % 2) - 1)
    if lowest == 0 and highest <= 1:
        return 1.0
    if lowest == 0 and _LEAST_WHITE <= highest <= 255:
        return 255.0
    raise ImageUnsupported(
        f"a TIFF of floating-point grey from {lowest:.4g} to {highest:.4g} (not 0 to 1 or 0 to 255)", tiff.SAVE_GREY
    )


def _from_deep_grey(strip: Pillow.Image, *, full: float) -> Pixels:
    """Return RGB pixels of deep grey, scaled to 8 bits."""
    grey = np.nan_to_num(np.asarray(strip)).astype(np.float64)  # nan_to_num first: later infinity would overflow
    levels = np.clip(grey * (255 / full), 0, 255).astype(np.uint8)
    return np.repeat(levels[:, :, None], 3, axis=2)
