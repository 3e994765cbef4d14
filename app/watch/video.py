"""Frames of streams, files and capture devices, decoded by FFmpeg. Imported only if PyAV is installed."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import av
import numpy as np
from av.codec.context import Flags
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from app.errors import CameraUnreachable, VideoUnavailable
from app.vision.imaging.decode import Image
from app.watch.decoding import DecodingOptions, VideoInput
from app.watch.frames import CameraFrame
from app.watch.pace import KeyFrames, Pace

if TYPE_CHECKING:
    from av.packet import Packet

_FASTER = 4  # with this many frames for each wanted one, frames that no other refers to are not decoded
_MOST_DELAYED = 64  # frames that a decoder holds back, at most
_TOO_LATE = "it did not answer in time; check its address, and whether it is switched on"
_CAUSES: Mapping[str, str] = {
    "ConnectionRefusedError": "the connection was refused; check host and port",
    "ExitError": _TOO_LATE,
    "FileNotFoundError": "it does not exist",
    "HTTPNotFoundError": "its path does not exist on the host",
    "HTTPUnauthorizedError": "the user name or the password is wrong",
    "InvalidDataError": "it is not a video, or it is damaged",
    "ProtocolNotFoundError": "FFmpeg does not know its protocol",
    "TimeoutError": _TOO_LATE,
}


class VideoSource:
    """A `FrameSource` on FFmpeg. `resolve` is called for each connection, so that a host may get another address."""

    def __init__(self, resolve: Callable[[], VideoInput], options: DecodingOptions) -> None:
        """Raise VideoUnavailable if the decoder of `options` does not exist here."""
        if options.decoder is not None and options.decoder not in hwdevices_available():
            known = ", ".join(hwdevices_available()) or "none"
            raise VideoUnavailable(f"FFmpeg here has no decoder {options.decoder!r}; it has: {known}")
        self._resolve = resolve
        self._options = options

    def frames(self) -> Iterator[CameraFrame]:
        """See `FrameSource`."""
        source = self._resolve()
        with _readable(), self._opened(source) as container:
            stream = _video(container)
            self._prepare(stream, is_live=source.is_live)
            yield from self._read(container, stream, is_live=source.is_live)

    def _opened(self, source: VideoInput) -> InputContainer:
        decoder = self._options.decoder
        return av.open(
            source.address,
            "r",
            format=source.format,
            options={**dict(source.options), **self._limit},  # for frames that are decoded to recognise the stream
            timeout=self._options.seconds,
            hwaccel=None if decoder is None else HWAccel(decoder, allow_software_fallback=False),
        )

    def _prepare(self, stream: VideoStream, *, is_live: bool) -> None:
        """Decode no more than is needed, and no larger frames than are accepted."""
        self._require_size(stream.codec_context.width, stream.codec_context.height)
        stream.codec_context.options = {**stream.codec_context.options, **self._limit}
        stream.thread_type = "AUTO" if self._options.is_threaded else "NONE"
        if not is_live:
            return
        stream.codec_context.flags |= Flags.low_delay
        rate = stream.average_rate
        if rate is not None and rate >= _FASTER * self._options.fps:
            stream.codec_context.skip_frame = "NONREF"

    def _read(self, container: InputContainer, stream: VideoStream, *, is_live: bool) -> Iterator[CameraFrame]:
        pace, shown, chosen = Pace(self._options.fps), VideoReformatter(), _Chosen()
        keys, start, last = KeyFrames(pace.period), datetime.now(UTC), time.monotonic()
        has_frames = False
        for packet in container.demux(stream):
            now = time.monotonic()
            if is_live and now - last > self._options.seconds + pace.period:
                raise CameraUnreachable("the stream has no frames that can be decoded")
            at = _seconds(packet, stream, now)
            only_keys = packet.size > 0 and keys.suffice(at, is_key=packet.is_keyframe)
            if only_keys:
                if not packet.is_keyframe or not pace.wants(now if is_live else at):
                    continue
                chosen.add(packet)
            for frame in _decoded(stream, packet):
                last, has_frames = now, True
                at = _seconds(frame, stream, now)
                if chosen.take(frame) or (not only_keys and pace.wants(now if is_live else at)):
                    taken = datetime.now(UTC) if is_live else start + timedelta(seconds=at)
                    yield CameraFrame(self._image(frame, shown), taken)
        if not has_frames:
            raise CameraUnreachable("it contains no frames that can be decoded")

    @property
    def _limit(self) -> dict[str, str]:
        """FFmpeg's option by which a decoder refuses larger frames before it takes memory for them."""
        return {"max_pixels": str(self._options.most_pixels)}

    def _require_size(self, width: int, height: int) -> None:
        if width * height > self._options.most_pixels:
            size = f"{width} x {height} pixels"
            raise CameraUnreachable(f"the frames have {size}; at most {self._options.most_pixels:,} are accepted")

    def _image(self, frame: VideoFrame, shown: VideoReformatter) -> Image:
        self._require_size(frame.width, frame.height)
        pixels = np.asarray(shown.reformat(frame, format="rgb24").to_ndarray(), np.uint8)
        turns = round(frame.rotation / 90) % 4
        return Image(np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels)


@contextmanager
def _readable() -> Iterator[None]:
    """Turn FFmpeg's errors into CameraUnreachable, without their texts, which may contain the address."""
    try:
        yield
    except FFmpegError as error:
        kind = type(error).__name__
        cause = _CAUSES.get(kind, "check its address")
        raise CameraUnreachable(f"no frames came from the source: {cause}", kind) from None


def _video(container: InputContainer) -> VideoStream:
    if not container.streams.video:
        raise CameraUnreachable("it contains no video")
    return container.streams.video[0]


def _decoded(stream: VideoStream, packet: "Packet[VideoStream]") -> list[VideoFrame]:
    """Return the frames of a packet; none if it is damaged, as the first ones of a stream can be."""
    try:
        return stream.codec_context.decode(packet if packet.size else None)
    except InvalidDataError:
        return []


def _seconds(part: "Packet[VideoStream] | VideoFrame", stream: VideoStream, now: float) -> float:
    """Return the time of a packet or frame in its stream, in seconds."""
    return now if part.pts is None or stream.time_base is None else float(part.pts * stream.time_base)


class _Chosen:
    """Packets that were chosen for their frames, which a decoder returns later and in another order."""

    def __init__(self) -> None:
        self._times: deque[int | None] = deque(maxlen=_MOST_DELAYED)

    def add(self, packet: "Packet[VideoStream]") -> None:
        self._times.append(packet.pts)

    def take(self, frame: VideoFrame) -> bool:
        """Return whether a frame is that of a chosen packet."""
        if frame.pts not in self._times:
            return False
        self._times.remove(frame.pts)
        return True
