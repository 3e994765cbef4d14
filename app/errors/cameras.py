"""Cameras and the frames that they send."""

from app.errors.base import ArcidError


class CameraUnknown(ArcidError):
    """No camera has this id."""


class CameraExists(ArcidError):
    """A camera with this id exists already."""


class TooManyCameras(ArcidError):
    """The service has as many cameras as its settings allow."""


class CameraTakesNoFrames(ArcidError):
    """The camera is disabled, or the service reads its frames from a URL."""


class CameraUrlNotAllowed(ArcidError):
    """The service may not connect to the camera's URL."""


class CameraUnreachable(ArcidError):
    """A camera, stream or file gives no frames; the message never contains a password."""


class VideoUnavailable(ArcidError):
    """FFmpeg, which decodes streams and video files, or the decoder that the settings name, is missing."""
