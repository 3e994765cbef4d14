"""Frames of cameras, and their sources."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.vision.imaging.decode import Image


@dataclass(frozen=True, slots=True)
class CameraFrame:
    """A frame with the time at which it was taken."""

    image: Image
    at: datetime


class FrameSource(Protocol):
    """A source of frames."""

    def frames(self) -> Iterator[CameraFrame]:
        """Connect, and yield frames in order of time, at most as many a second as wanted.

        It returns at the end of a file. Raises CameraUnreachable if no frame comes in time, and VideoUnavailable if
        nothing here could decode it. Closing the iterator disconnects.
        """
