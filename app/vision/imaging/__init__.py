"""Photo bytes to upright RGB pixels, and sampling them."""

from PIL import Image

# Pillow's own limit would stand in the way of a larger one of ours, which is checked before any pixel is allocated.
Image.MAX_IMAGE_PIXELS = None
