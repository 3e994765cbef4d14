"""ArcID. All entry points (service, commands, training, tests) import this package before ONNX Runtime and OpenCV."""

import os

__version__ = "0.1.0"

# Stop ONNX Runtime from sending telemetry and writing a device id below HOME, even if the environment allows it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# OpenCV reads this at its first import. `app.vision.imaging.decode.Limits` limits photos instead.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**32))
