import pytest

from app.errors import UrlNotAllowed
from app.remote.camera_urls import STREAM_SCHEMES, CameraUrlRules, masked

RULES = CameraUrlRules.parse(("192.168.7.0/24", "10.0.0.5", "door.lan", "*.cams.example", "fd00:1::/64"))


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://192.168.7.9/live",
        "rtsp://ada:secret@10.0.0.5:8554/live",
        "http://door.lan/mjpeg",
        "rtsps://a.cams.example/1",
        "rtsp://[fd00:1::2]/live",
    ],
)
def test_allowed(url):
    assert RULES.target(url, STREAM_SCHEMES).port


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://192.168.8.9/live",
        "rtsp://10.0.0.6/",
        "rtsp://cams.example/",
        "rtsp://door.lan.evil.example/",
        "rtsp://door.lan@evil.example/",
        "rtsp://evil.example#door.lan",
        "rtsp://3232237321/",
        "file://door.lan/etc/passwd",
        "https://door.lan/",
        "rtsp:///live",
        "rtsp://door.lan/ x",
        "rtsp://door.lan\\@evil.example/",
        "rtsp://door.lan/" + "x" * 3000,
        "",
    ],
)
def test_refused(url):
    with pytest.raises(UrlNotAllowed):
        RULES.target(url, STREAM_SCHEMES)


def test_without_hosts_nothing_is_allowed():
    with pytest.raises(UrlNotAllowed):
        CameraUrlRules().target("rtsp://192.168.7.9/", STREAM_SCHEMES)
    assert not CameraUrlRules().allows("192.168.7.9")


@pytest.mark.parametrize("address", ["192.168.7.1", "10.0.0.5", "172.16.0.3", "93.184.216.34", "fd00:9::1"])
def test_a_named_host_may_have_any_ordinary_address(address):
    assert RULES.allows(address)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "::1", "::", "224.0.0.1", "fe80::1", "::ffff:127.0.0.1", "door"]
)
def test_special_addresses_must_be_listed(address):
    assert not RULES.allows(address)


def test_without_names_only_listed_addresses_are_allowed():
    rules = CameraUrlRules.parse(("10.0.0.5",))
    assert rules.allows("10.0.0.5")
    assert not rules.allows("10.0.0.6")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://ada:secret@10.0.0.5/live", "rtsp://ada:***@10.0.0.5/live"),
        ("rtsp://10.0.0.5/live?user=ada&password=secret", "rtsp://10.0.0.5/live?***"),
        ("http://ada@10.0.0.5/", "http://ada@10.0.0.5/"),
        ("http://[::1", "***"),
    ],
)
def test_masked(url, shown):
    assert masked(url) == shown
