import threading
from datetime import UTC, datetime

from app.vision.imaging.decode import Image
from app.watch.frames import CameraFrame
from app.watch.newest_frame import NewestFrames
from tests.watch.videos import grey


def frame(level=0):
    return CameraFrame(Image(grey(level)), datetime.now(UTC))


def test_a_newer_frame_replaces_the_older_one():
    frames, older, newer = NewestFrames(), frame(), frame()
    assert frames.put("door", older)
    assert not frames.put("door", newer)
    assert frames.take() == ("door", newer)
    assert frames.take(timeout=0) is None


def test_cameras_take_turns():
    frames = NewestFrames()
    for _ in range(3):
        for camera in ("door", "gate"):
            frames.put(camera, frame())
    assert [(frames.take() or [None])[0] for _ in range(2)] == ["door", "gate"]


def test_a_camera_that_is_gone_leaves_no_frame():
    frames = NewestFrames()
    frames.put("door", frame())
    frames.discard("door")
    frames.discard("gate")
    assert frames.take(timeout=0) is None


def test_closing_wakes_the_waiting():
    frames, taken = NewestFrames(), []
    waiting = threading.Thread(target=lambda: taken.append(frames.take()))
    waiting.start()
    frames.close()
    waiting.join(20)
    assert taken == [None]
