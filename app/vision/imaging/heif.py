"""HEIC photos: the main picture of a HEIF file, decoded by libheif after its cost was checked."""

import pi_heif
from PIL import Image as Pillow

from app.errors import ImageTooCostly, TooManyPixels
from app.vision.imaging import heif_items


def picture(data: bytes, *, most_pixels: int, most_bytes: int) -> Pillow.Image:
    """Return the main picture of a HEIF file, rotated and mirrored as its properties state, with 8 bits a sample.

    EXIF is ignored, as the standard demands: its orientation may already be applied.

    Args:
        data: Content of the file.
        most_pixels: Limit of the picture's own pixels; all coded pixels may be twice as many.
        most_bytes: Limit of the compressed streams that have to be decoded.

    Raises:
        ImageDamaged, ImageTooCostly, ImageUnsupported, TooManyPixels: Before decoding.
        OSError, RuntimeError, ValueError, EOFError, SyntaxError: If the decoder refuses the file.
    """
    file = heif_items.read(data)
    if file.cost.bytes > most_bytes:
        raise ImageTooCostly(f"the HEIC decodes {file.cost.bytes:,} bytes; at most {most_bytes:,} are accepted")
    if file.cost.pixels > 2 * most_pixels:
        raise TooManyPixels(f"the HEIC codes {file.cost.pixels:,} pixels; at most {2 * most_pixels:,} are accepted")
    opened = pi_heif.open_heif(file.data, convert_hdr_to_8bit=True)
    main = opened[opened.primary_index]
    width, height = main.size
    if width * height > most_pixels:
        raise TooManyPixels(f"the photo has {width} x {height} pixels; at most {most_pixels:,} are accepted")
    decoded: Pillow.Image = main.to_pillow()
    return decoded
