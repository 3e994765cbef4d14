"""Decoding photos to upright RGB pixels, and sampling crops from them."""

from PIL import Image

# Pillow's limit is off, because a larger one may be configured. Ours is checked before any pixel is allocated.
Image.MAX_IMAGE_PIXELS = None
