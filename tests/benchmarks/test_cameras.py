"""benchmarks/cameras.py: made streams can be read as those of cameras are, and show the person who was pasted."""

from itertools import islice

import numpy as np
from camera_streams import SIZE, cameras, visit

from app.remote.camera_urls import CameraUrlRules
from app.watch.decoding import DecodingOptions
from app.watch.sources import operators_source, stream_source
from tests.watch.videos import HOST


def test_a_stream_shows_somebody_in_its_middle(tmp_path, faces_of):
    photo, file = tmp_path / "ada.jpg", tmp_path / "visit.ts"
    photo.write_bytes(faces_of[0])
    stream = visit(photo, seconds=2, fps=10, seed=1)
    file.write_bytes(stream.content)
    frames = [each.image.pixels for each in operators_source(file, DecodingOptions(10)).frames()]
    assert frames[0].shape == (*SIZE[::-1], 3)
    changes = [float(np.abs(each.astype(int) - frames[0]).mean()) for each in frames]
    assert max(changes[:4]) < 2 < min(changes[6:14])
    with cameras([stream]) as (url,):
        source = stream_source(url, CameraUrlRules.parse((HOST,)), DecodingOptions(10))
        received = list(islice(source.frames(), 1))
    assert received[0].image.pixels.shape == frames[0].shape
