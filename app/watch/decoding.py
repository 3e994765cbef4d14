"""How the frames of a stream or file are read and decoded; values for `app.watch.video`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VideoInput:
    """An input of FFmpeg.

    Attributes:
        address: File, URL or device; may contain a password.
        is_live: Frames come when they are taken. Their time is that of their arrival, and late ones are skipped.
        format: Demuxer; None: FFmpeg recognises it.
        options: Options of FFmpeg's protocol and demuxer.
    """

    address: str
    is_live: bool
    format: str | None = None
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """How frames are decoded: at most `fps` a second.

    Attributes:
        fps: Frames a second.
        seconds: Longest wait for the connection, and for each next frame.
        most_pixels: Largest frame.
        decoder: FFmpeg's name of a hardware device; None decodes on the CPU.
        is_threaded: Decode on all cores; one stream then costs less time, and several cost more.
    """

    fps: float
    seconds: float = 10
    most_pixels: int = 50_000_000
    decoder: str | None = None
    is_threaded: bool = False
