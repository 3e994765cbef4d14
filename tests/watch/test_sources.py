import socket
import sys
import threading
from datetime import timedelta
from fractions import Fraction

import cv2
import pytest

from app.errors import CameraUnreachable, CameraUrlNotAllowed, VideoUnavailable
from app.remote.camera_urls import CameraUrlRules
from app.watch.decoding import DecodingOptions
from app.watch.sources import device_source, operators_source, stream_source
from tests.watch.videos import HOST, grey, number_of, site, write_video

LOCAL = CameraUrlRules.parse((HOST,))
MOTION_JPEG = {"Content-Type": "multipart/x-mixed-replace; boundary=b"}


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "two seconds.mp4")


def from_file(path, fps, **options):
    return list(operators_source(path, DecodingOptions(fps, **options)).frames())


def test_a_file_gives_evenly_spaced_frames_with_their_times(video):
    frames = from_file(video, 5)
    assert [number_of(each) for each in frames] == pytest.approx(list(range(0, 50, 5)), abs=1)
    assert [each.at - frames[0].at for each in frames] == [timedelta(seconds=each / 5) for each in range(10)]
    assert frames[0].image.pixels.shape == (48, 64, 3)


def test_only_key_frames_are_decoded_if_they_suffice(tmp_path):
    path = write_video(tmp_path / "keys.mp4", 100, every_key=5)
    assert [number_of(each) for each in from_file(path, 2.5)] == pytest.approx(list(range(0, 100, 10)), abs=1)


def test_frames_above_the_limit_are_refused(video):
    with pytest.raises(CameraUnreachable, match="64 x 48"):
        from_file(video, 5, most_pixels=3000)


@pytest.mark.parametrize("content", [b"", b"this is text", b"\0" * 100_000])
def test_a_file_that_is_no_video_is_refused(tmp_path, content):
    path = tmp_path / "not.mp4"
    path.write_bytes(content)
    with pytest.raises(CameraUnreachable):
        from_file(path, 5)


def test_a_missing_decoder_is_named(video):
    with pytest.raises(VideoUnavailable, match="'none-such'"):
        operators_source(video, DecodingOptions(5, decoder="none-such"))


def test_a_missing_device_is_an_error():
    with pytest.raises(CameraUnreachable):
        list(device_source(987, DecodingOptions(5)).frames())


def test_without_pyav_the_command_that_installs_it_is_named(video, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(VideoUnavailable, match=r"pip install 'arcid\[cameras\]'"):
        operators_source(video, DecodingOptions(5))


# Streams that clients name


def stream(url, rules=LOCAL, fps=1000, resolve=None):
    return stream_source(url, rules, DecodingOptions(fps, seconds=5), resolve=resolve).frames()


def test_a_stream_over_http(video):
    ts = video.with_suffix(".ts")
    write_video(ts, 20)
    with site({"/live": (200, {}, ts.read_bytes())}) as (port, asked):
        frames = list(stream(f"http://door.lan:{port}/live", CameraUrlRules.parse(("door.lan", HOST)), resolve=local))
    assert asked[0][1]["Host"] == f"door.lan:{port}"
    assert {number_of(each) for each in frames} <= set(range(20))
    assert frames


def refused():
    return pytest.raises(CameraUnreachable)


def local(_host, _port):
    return [HOST]


def test_motion_jpeg(video):
    import av  # noqa: PLC0415 - an extra

    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 64, 48, "yuvj420p", Fraction(1, 25)
    shown = next(operators_source(video, DecodingOptions(25)).frames()).image.pixels
    photo = bytes(encoder.encode(av.VideoFrame.from_ndarray(shown, format="rgb24").reformat(format="yuvj420p"))[0])
    with site({"/mjpeg": (200, MOTION_JPEG, part(photo) * 6)}) as (port, _):
        frames = list(stream(f"http://{HOST}:{port}/mjpeg"))
    assert {each.image.pixels.shape for each in frames} == {(48, 64, 3)}


def test_frames_that_are_too_large_are_not_decoded():
    photos = [cv2.imencode(".jpg", grey(100, size))[1].tobytes() for size in [(64, 48)] * 3 + [(1200, 900)] * 3]
    options = DecodingOptions(1000, seconds=5, most_pixels=100_000)
    with site({"/mjpeg": (200, MOTION_JPEG, b"".join(map(part, photos)))}) as (port, _), refused() as raised:
        list(stream_source(f"http://{HOST}:{port}/mjpeg", LOCAL, options).frames())
    assert raised.value.reason == "ArgumentError"  # of FFmpeg, before it takes memory for the frame


def part(photo):
    return b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(photo) + photo + b"\r\n"


def test_no_redirect_is_followed(video):
    with (
        site({"/": (302, {"Location": "/secret"}, b""), "/secret": (200, {}, video.read_bytes())}) as (port, asked),
        refused(),
    ):
        list(stream(f"http://{HOST}:{port}/"))
    assert [path for path, _ in asked] == ["/"]


def test_no_redirect_of_rtsp_is_followed():
    with socket.create_server((HOST, 0)) as elsewhere, socket.create_server((HOST, 0)) as camera:
        moved = f"Location: rtsp://{HOST}:{elsewhere.getsockname()[1]}/door"
        thread = threading.Thread(target=answer_rtsp, args=(camera, {"DESCRIBE": ("302 Moved", moved)}), daemon=True)
        thread.start()
        with refused():
            list(stream(f"rtsp://{HOST}:{camera.getsockname()[1]}/door"))
        thread.join()
        elsewhere.settimeout(0)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


def answer_rtsp(server, answers):
    """Answer the requests of one connection by their methods (status and a header)."""
    connection, _ = server.accept()
    with connection, connection.makefile("rb") as lines:
        request: list[str] = []
        for line in lines:
            request.append(line.decode().strip())
            if not request[-1]:
                status, header = answers.get(request[0].split()[0], ("200 OK", "Public: DESCRIBE"))
                number = next(each for each in request if each.startswith("CSeq"))
                connection.sendall(f"RTSP/1.0 {status}\r\n{number}\r\n{header}\r\n\r\n".encode())
                request.clear()


@pytest.mark.parametrize(
    "body",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {}\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    ],
)
def test_a_playlist_opens_nothing(video, body):
    kind = {"Content-Type": "application/vnd.apple.mpegurl"}
    with site({"/live.m3u8": (200, kind, body.format(video.as_uri()).encode())}) as (port, _), refused():
        list(stream(f"http://{HOST}:{port}/live.m3u8"))


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "/etc/passwd", "concat:/etc/passwd", "udp://127.0.0.1:1", "rtsp://10.0.0.1/", "x"]
)
def test_a_client_names_only_allowed_streams(url):
    with pytest.raises(CameraUrlNotAllowed):
        stream(url)


def test_a_name_that_resolves_to_this_machine_is_refused():
    frames = stream("rtsp://door.lan/", CameraUrlRules.parse(("door.lan",)), resolve=local)
    with pytest.raises(CameraUrlNotAllowed):
        list(frames)


def test_an_error_does_not_contain_the_password():
    with pytest.raises(CameraUnreachable) as raised:
        list(stream(f"rtsp://ada:secret@{HOST}:9/live?key=secret"))
    assert "secret" not in str(raised.value) + raised.value.reason
