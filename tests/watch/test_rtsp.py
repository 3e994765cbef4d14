"""A real RTSP server (GStreamer's) as the camera."""

import subprocess
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from app.errors import CameraUnreachable
from app.remote.camera_urls import CameraUrlRules
from app.watch.decoding import DecodingOptions
from app.watch.sources import stream_source
from tests.watch.videos import HOST, number_of, write_video

PYTHON = Path("/usr/bin/python3")
USER, PASSWORD = "viewer", "p@ss/word"
COUNT, RATE = 40, 20


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    checked = subprocess.run(
        [PYTHON, "-c", "import gi; gi.require_version('GstRtspServer', '1.0')"], check=False, capture_output=True
    )
    if checked.returncode:
        pytest.skip("no RTSP server: .ci/install rtsp")
    return write_video(tmp_path_factory.mktemp("rtsp") / "door.mp4", COUNT, rate=RATE, every_key=10)


@contextmanager
def camera(video, port=0):
    """Run a camera; yield its port and its process."""
    script = Path(__file__).parents[1] / "rtsp_camera.py"
    command = [PYTHON, script, video, str(port), USER, PASSWORD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline()), process
        finally:
            process.kill()


def frames(port, password=PASSWORD, path="door"):
    url = f"rtsp://{USER}:{quote(password, safe='')}@{HOST}:{port}/{path}"
    return stream_source(url, CameraUrlRules.parse((HOST,)), DecodingOptions(1000, seconds=5)).frames()


def test_a_camera_is_watched_and_watched_again_after_it_was_lost(video):
    with camera(video) as (port, process):
        watched = frames(port)
        first = next(watched)
        assert first.image.pixels.shape == (48, 64, 3)
        process.kill()
    with pytest.raises(CameraUnreachable):
        next(frames(port))
    with camera(video, port):
        numbers = [number_of(each) for each, _ in zip(frames(port), range(20), strict=False)]
    assert numbers == pytest.approx(sorted(numbers), abs=1)
    assert len(set(numbers)) > 5  # frames that come at once, after a pause, are skipped


@pytest.mark.parametrize("access", [{"password": "wrong"}, {"path": "garden"}])
def test_a_camera_that_refuses_is_unreachable(video, access):
    with camera(video) as (port, _), pytest.raises(CameraUnreachable):
        next(frames(port, **access))
