"""Videos for tests: each frame is one grey, so that a frame shows its number."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av
import numpy as np

HOST = "127.0.0.1"


def grey(level, size=(64, 48)):
    return np.full((size[1], size[0], 3), level, np.uint8)


def write_video(path, frames=50, *, rate=25, every_key=25, size=(64, 48)):
    """Write a video whose frame n has the grey level 2n."""
    return write_pictures(path, [grey(2 * number, size) for number in range(frames)], rate=rate, every_key=every_key)


def write_pictures(path, pictures, *, rate, every_key=25):
    """Write a video of pictures (height, width, 3), RGB, with even sides."""
    options = {"g": str(every_key), "bf": "0", "sc_threshold": "0", "crf": "4"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.height, stream.width, _ = pictures[0].shape
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def number_of(frame):
    return round(float(frame.image.pixels.mean()) / 2)


@contextmanager
def site(answers):
    """Serve answers by path: (status, headers, body). Yields the port and the requests' headers."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, dict(self.headers)))
            found = answers(self) if callable(answers) else answers.get(self.path, (404, {}, b""))
            status, headers, body = found
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
