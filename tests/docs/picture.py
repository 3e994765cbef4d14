"""docs/pictures/page.png, a screenshot of the real page: `python -m tests.docs.picture` retakes it (needs Chromium).

Its only face is the astronaut Eileen Collins, from NASA's portrait (public domain) in scikit-image.
"""

import tempfile
from io import BytesIO
from pathlib import Path

import cv2
import httpx2
import numpy as np
from PIL import Image

from app.cli.demo import serving
from app.cli.serve import prepare_database
from app.config import PROJECT, read_settings
from tests.conftest import DATA, photo_of
from tests.docs.conftest import another_picture
from tests.end_to_end.browsing import chromium, identify, opened

PICTURE = PROJECT / "docs" / "pictures" / "page.png"
_COLOURS = 128


def take() -> bytes:
    """Return a PNG of the page at 1280 pixels, with one face that it has identified."""
    portrait = photo_of("skimage", "data", "astronaut.png")
    with tempfile.TemporaryDirectory() as folder:
        frames = Path(folder, "camera.mjpeg")
        frames.write_bytes(cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes())
        settings = read_settings(data_dir=Path(folder), models_dir=DATA, database_url=None)
        prepare_database(settings)
        with serving(settings, port=0) as address, chromium(frames) as browser:
            data = {"identity_id": "eileen-collins", "name": "Eileen Collins"}
            files = {"photos": another_picture(portrait)}
            httpx2.post(f"{address}/enroll", files=files, data=data, timeout=60).raise_for_status()
            with opened(browser, address, width=1280, height=860) as page:
                identify(page, portrait)
                return bytes(page.screenshot())


def small(picture: bytes) -> bytes:
    """Return a PNG with a palette, which is a third as large."""
    palette = Image.open(BytesIO(picture)).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    made = BytesIO()
    palette.save(made, "PNG", optimize=True)
    return made.getvalue()


if __name__ == "__main__":
    PICTURE.write_bytes(small(take()))
