import os

# Read by OpenCV when it is first imported. The limit of photos is our own (`app.imaging.decode.Limits`).
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**32))

__version__ = "0.1.0"
