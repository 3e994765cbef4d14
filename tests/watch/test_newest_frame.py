import threading

from app.watch.newest_frame import NewestFrames
from tests.watch.fakes import frame


def take(frames):
    with frames.taken() as item:
        return item


def test_a_newer_frame_replaces_the_older_one():
    frames, older, newer = NewestFrames(), frame(), frame()
    assert frames.put("door", older)
    assert not frames.put("door", newer)
    assert take(frames) == ("door", newer)
    assert take(frames) is None


def test_cameras_take_turns():
    frames = NewestFrames()
    for _ in range(3):
        for camera in ("door", "gate"):
            frames.put(camera, frame())
    assert [item[0] for _ in range(2) if (item := take(frames))] == ["door", "gate"]


def test_two_frames_of_a_camera_are_not_taken_at_once():
    frames, second = NewestFrames(), frame()
    frames.put("door", frame())
    with frames.taken():
        frames.put("door", second)
        assert take(frames) is None
    assert take(frames) == ("door", second)


def test_a_camera_that_is_gone_leaves_no_frame():
    frames = NewestFrames()
    frames.put("door", frame())
    frames.discard("door")
    frames.discard("gate")
    assert take(frames) is None


def test_closing_wakes_the_waiting():
    frames, found = NewestFrames(), []
    waiting = threading.Thread(target=lambda: found.append(frames.wait()))
    waiting.start()
    frames.close()
    waiting.join(20)
    assert found == [False]
