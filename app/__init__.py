"""ArcID. Every entry (service, command line, training, tests) imports this package before ONNX Runtime and OpenCV."""

import os

__version__ = "0.1.0"

# ONNX Runtime sends telemetry and writes a device id below HOME; this alone stops it, whatever the environment says.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# Read by OpenCV when it is first imported. The limit of photos is our own (`app.vision.imaging.decode.Limits`).
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**32))
