"""Frames of cameras that answer each request with one photo."""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from app.errors import CameraUnreachable, Overloaded, PhotoRefused
from app.remote.fetching import Fetcher
from app.vision.imaging.decode import Image
from app.watch.frames import CameraFrame


class SnapshotSource:
    """A `FrameSource` that fetches a photo for each frame."""

    def __init__(
        self,
        url: str,
        fetcher: Callable[[], Fetcher],
        decode: Callable[[bytes], Image],
        *,
        fps: float,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        """Fetch from `url`, which may contain a password.

        Args:
            url: Address of the photo.
            fetcher: Opens a fetcher for the current event loop.
            decode: Decodes a photo; raises a PhotoRefused.
            fps: Photos a second.
            pause: Waits for this many seconds, or less if the camera is to stop.
        """
        self._url = url
        self._fetcher = fetcher
        self._decode = decode
        self._period = 1 / fps
        self._pause = pause

    def frames(self) -> Iterator[CameraFrame]:
        """See `FrameSource`."""
        with asyncio.Runner() as runner:
            fetcher = self._fetcher()
            while True:
                started = time.monotonic()
                at = datetime.now(UTC)
                try:
                    yield CameraFrame(self._decode(runner.run(self._fetch(fetcher))), at)
                except (PhotoRefused, Overloaded) as error:
                    raise CameraUnreachable("the snapshot's URL gave no photo", error.reason or error.code) from None
                self._pause(max(0.0, self._period - (time.monotonic() - started)))

    async def _fetch(self, fetcher: Fetcher) -> bytes:
        return await fetcher.fetch(self._url, fetcher.deadline())
