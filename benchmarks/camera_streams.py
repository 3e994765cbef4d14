"""Made streams of cameras: faces that move over a background, encoded as H.264 and served over HTTP at their rate."""

import io
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
import numpy as np

HOST = "127.0.0.1"
SIZE = (640, 360)
FACE_SIDE = 140


@dataclass(frozen=True, slots=True)
class Stream:
    """An encoded stream: the bytes of each frame, in MPEG-TS."""

    frames: Sequence[bytes]
    fps: int

    @property
    def content(self) -> bytes:
        """All bytes."""
        return b"".join(self.frames)


def visit(photo: Path, *, seconds: float, fps: int, seed: int) -> Stream:
    """Return a stream of a person who crosses the picture: present in its middle half, absent before and after."""
    random = np.random.default_rng(seed)
    width, height = SIZE
    noise = random.integers(60, 120, (height // 8, width // 8, 3), np.uint8)
    background = cv2.resize(noise, SIZE, interpolation=cv2.INTER_CUBIC)
    read = cv2.imread(str(photo))
    if read is None:
        raise SystemExit(f"{photo} is not a photo")
    face = cv2.resize(cv2.cvtColor(read, cv2.COLOR_BGR2RGB), (FACE_SIDE, FACE_SIDE))
    count = int(seconds * fps)
    pictures = []
    for number in range(count):
        picture = background.copy()
        share = (number / count - 0.25) * 2
        if 0 <= share < 1:
            left = int(share * (width - FACE_SIDE))
            top = int((height - FACE_SIDE) / 2 + random.integers(-4, 5))
            picture[top : top + FACE_SIDE, left : left + FACE_SIDE] = face
        pictures.append(picture)
    return encoded(pictures, fps)


def encoded(pictures: Sequence[np.ndarray], fps: int) -> Stream:
    """Encode pictures (height, width, 3), RGB, as a camera does: no B-frames, and a key frame every two seconds."""
    file = io.BytesIO()
    frames, written = [], 0
    options = {"tune": "zerolatency", "preset": "veryfast", "g": str(2 * fps), "crf": "23"}
    with av.open(file, "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            frames.append(file.getvalue()[written:])
            written = len(file.getvalue())
        container.mux(stream.encode(None))
    frames.append(file.getvalue()[written:])
    return Stream(frames, fps)


@contextmanager
def cameras(streams: Sequence[Stream]) -> Iterator[list[str]]:
    """Serve streams without end, each frame when it is due; yields their URLs."""
    stopping = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            stream = streams[int(self.path.strip("/").removesuffix(".ts"))]
            self.send_response(200)
            self.end_headers()
            due = time.monotonic()
            try:
                while not stopping.is_set():
                    for frame in stream.frames:
                        self.wfile.write(frame)
                        due += 1 / stream.fps
                        if stopping.wait(max(0.0, due - time.monotonic())):
                            return
            except OSError:  # the service has closed the connection
                return

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield [f"http://{HOST}:{server.server_address[1]}/{number}.ts" for number in range(len(streams))]
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
