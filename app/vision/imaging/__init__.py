"""Decoding photos to upright RGB pixels, and sampling crops from them."""

import pi_heif
from PIL import Image

# Pillow's limit is off, because a larger one may be configured. Ours is checked before any pixel is allocated.
Image.MAX_IMAGE_PIXELS = None

# One thread decodes a photo, as with the other formats. Only the main picture of a file is opened.
pi_heif.options.DECODE_THREADS = 1
pi_heif.options.THUMBNAILS = pi_heif.options.DEPTH_IMAGES = pi_heif.options.AUX_IMAGES = False
