"""Sources of frames by their addresses: those that a camera of the API may name, and those of the command line."""

import sys
from collections.abc import Callable
from pathlib import Path

from app.errors import VideoUnavailable
from app.remote.camera_urls import STREAM_SCHEMES, CameraUrlRules, Resolver, pinned, require_allowed
from app.watch.decoding import DecodingOptions, VideoInput
from app.watch.frames import FrameSource

# Demuxers that open no further addresses: no playlists (hls, dash, concat).
_HTTP_FORMATS = "mpjpeg,mjpeg,mpegts,flv,matroska,webm,mov,mp4,h264,hevc"
_RTSP_PROTOCOLS = {"rtsp": "tcp", "rtsps": "tcp,tls"}
_CAPTURE = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}"), "win32": ("dshow", "video={}")}


def require_video() -> None:
    """Raise VideoUnavailable if PyAV is not installed."""
    try:
        import av  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise VideoUnavailable(
            "streams and video files need PyAV, which is not installed; run: pip install 'arcid[cameras]'"
        ) from error


def stream_source(
    url: str, rules: CameraUrlRules, options: DecodingOptions, *, resolve: Resolver | None = None
) -> FrameSource:
    """Return the source of a stream that a client named, whose host the operator allows.

    Raises CameraUrlNotAllowed, VideoUnavailable.
    """
    target = require_allowed(rules, url, STREAM_SCHEMES)
    seconds = options.seconds

    def connect() -> VideoInput:
        address = str(pinned(rules, target, resolve))
        if target.scheme == "http":
            return VideoInput(address, is_live=True, options=_http(target.url.netloc.decode("ascii"), seconds))
        return VideoInput(address, is_live=True, options=_rtsp(target.scheme, seconds))

    return _opened(connect, options)


def operators_source(address: str | Path, options: DecodingOptions) -> FrameSource:
    """Return the source of a file, or of any URL that FFmpeg reads; for the operator only.

    Raises VideoUnavailable.
    """
    scheme, separator, _ = str(address).partition("://")
    if not separator or isinstance(address, Path):
        return _opened(lambda: VideoInput(f"file:{address}", is_live=False), options)
    rtsp = _rtsp(scheme, options.seconds) if scheme in _RTSP_PROTOCOLS else ()
    return _opened(lambda: VideoInput(str(address), is_live=True, options=rtsp), options)


def device_source(number: int, options: DecodingOptions) -> FrameSource:
    """Return the source of a camera of this machine, such as 0 for `/dev/video0`; raises VideoUnavailable."""
    kind, address = _CAPTURE.get(sys.platform, _CAPTURE["linux"])
    return _opened(lambda: VideoInput(address.format(number), is_live=True, format=kind), options)


def _opened(resolve: Callable[[], VideoInput], options: DecodingOptions) -> FrameSource:
    require_video()
    from app.watch.video import VideoSource  # noqa: PLC0415 - an extra

    return VideoSource(resolve, options)


def _rtsp(scheme: str, seconds: float) -> tuple[tuple[str, str], ...]:
    """Return FFmpeg's options of RTSP: over TCP, because lost packets of UDP damage frames."""
    return (
        ("rtsp_transport", "tcp"),
        ("timeout", _microseconds(seconds)),
        ("format_whitelist", "rtsp"),
        ("protocol_whitelist", _RTSP_PROTOCOLS[scheme]),
    )


def _http(host: str, seconds: float) -> tuple[tuple[str, str], ...]:
    return (
        ("headers", f"Host: {host}\r\n"),
        ("max_redirects", "0"),
        ("timeout", _microseconds(seconds)),
        ("format_whitelist", _HTTP_FORMATS),
        ("protocol_whitelist", "http,tcp"),
    )


def _microseconds(seconds: float) -> str:
    return str(int(seconds * 1_000_000))
