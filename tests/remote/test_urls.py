import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UrlNotAllowed
from app.remote.urls import UrlRules

RULES = UrlRules.parse("photos.example.com, *.cdn.example.org,203.0.113.9,bücher.example", "https", "443,8443")


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://photos.example.com/1.jpg?a=b#c", "photos.example.com", 443),
        ("HTTPS://PHOTOS.Example.com:8443", "photos.example.com", 8443),
        ("https://a.b.cdn.example.org/", "a.b.cdn.example.org", 443),
        ("https://203.0.113.9/x", "203.0.113.9", 443),
        ("https://bücher.example/ü.jpg", "xn--bcher-kva.example", 443),
    ],
)
def test_what_is_allowed(url, host, port):
    target = RULES.target(url)
    assert (target.scheme, target.host, target.port) == ("https", host, port)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "photos.example.com/1.jpg",
        "//photos.example.com/",
        "http://photos.example.com/",
        "ftp://photos.example.com/",
        "file:///etc/passwd",
        "gopher://photos.example.com/",
        "data:image/png;base64,AAAA",
        "https://",
        "https:///x",
        "https://user@photos.example.com/",
        "https://user:password@photos.example.com/",
        "https://photos.example.com@evil.example/",
        "https://evil.example#@photos.example.com/",
        "https://evil.example\\@photos.example.com/",
        "https://photos.example.com\\.evil.example/",
        "https://photos.example.com:80/",
        "https://photos.example.com:99999/",
        "https://photos.example.com:x/",
        "https://photos.example.com.evil.example/",
        "https://evilphotos.example.com/",
        "https://photos.example.com./",
        "https://cdn.example.org/",
        "https://xcdn.example.org/",
        "https://.cdn.example.org/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:203.0.113.9]/",
        "https://2130706433/",
        "https://photos%2eexample%2ecom%00.evil.example/",
        "https://photos.example.com /",
        "https://photos.example.com/a b",
        "https://photos.example.com/\r\nHost: evil.example",
        "https://photos.example.com/\x00",
        "https://photos.example.com/" + "x" * 2048,
        "https://[photos.example.com/",
    ],
)
def test_what_is_not(url):
    with pytest.raises(UrlNotAllowed):
        RULES.target(url)


@given(
    st.text(max_size=60), st.sampled_from(["", "https://", "https://photos.example.com", "https://photos.example.com@"])
)
def test_whatever_comes_is_allowed_or_refused(text, start):
    try:
        target = RULES.target(start + text)
    except UrlNotAllowed:
        return
    assert target.scheme == "https"
    assert target.port in {443, 8443}
    assert target.host in {"photos.example.com", "203.0.113.9", "xn--bcher-kva.example"} or target.host.endswith(
        ".cdn.example.org"
    )


def test_any_host_must_be_said():
    assert UrlRules.parse("*", "http,https", "80").target("http://anything.example/").port == 80


@pytest.mark.parametrize(
    "hosts", ["", " , ", "https://x.example", "x.example/path", "x.*.example", "*.", "-x", "a b", "x@y", "x:80"]
)
def test_what_is_no_host(hosts):
    with pytest.raises(ValueError, match="host"):
        UrlRules.parse(hosts, "https", "443")
