import asyncio
import gzip
import time
import tracemalloc

import pytest

from app.errors import Overloaded, TooManyBytes, UrlNotAllowed, UrlUnreachable
from tests.remote.servers import PRIVATE, PUBLIC, Names, contexts, internet, page, redirect

DETAIL = "the URL gave no photo"


def fetch(pages, path="/1.jpg", host="photos.example", scheme="http", **options):
    """Return the photo, the public site and the name server."""

    async def run():
        async with internet(pages, **options) as (fetcher, site, _, names):
            photo = await fetcher.fetch(f"{scheme}://{host}:{site.port}{path}", fetcher.deadline())
            return photo, site, names

    return asyncio.run(run())


def refused(pages, reason, **options):
    """Require the usual message for the client, and the reason for the operator."""
    with pytest.raises(UrlUnreachable) as raised:
        fetch(pages, **options)
    assert str(raised.value) == DETAIL
    assert reason in raised.value.reason
    return raised.value


def test_a_photo_is_fetched():
    photo, site, names = fetch({"/1.jpg?a=b": page(b"photo")}, "/1.jpg?a=b#part")
    assert photo == b"photo"
    head = site.requests[0].decode().lower()
    assert f"host: photos.example:{site.port}\r\n" in head
    assert "accept-encoding: identity\r\n" in head
    assert not any(name in head for name in ("cookie", "authorization", "referer"))
    assert names.asked == ["photos.example"]


def test_over_tls_with_the_name_that_was_asked_for(tmp_path):
    photo, site, _ = fetch({"/1.jpg": page(b"photo")}, scheme="https", tls=contexts(tmp_path))
    assert photo == b"photo"
    assert site.names == ["photos.example"]


def test_a_certificate_for_somebody_else_is_refused(tmp_path):
    pages = {"/1.jpg": page()}
    refused(pages, "ConnectError", scheme="https", tls=contexts(tmp_path, "other.example"))


def test_a_certificate_of_nobodys_authority_is_refused(tmp_path):
    (tmp_path / "other").mkdir()
    mixed = (contexts(tmp_path)[0], contexts(tmp_path / "other")[1])
    refused({"/1.jpg": page()}, "ConnectError", scheme="https", tls=mixed)


# Targets


@pytest.mark.parametrize(
    "answer",
    [[PRIVATE], [PUBLIC, PRIVATE], [PRIVATE, PUBLIC], [PUBLIC, "::1"], [PUBLIC, "169.254.169.254"], ["nonsense"]],
)
def test_one_address_that_is_not_public_is_one_too_many(answer):
    refused({"/1.jpg": page()}, "not public", names=Names(photos_example=[answer]))


def test_a_host_that_is_an_address_is_looked_at_too():
    names = Names(**{PRIVATE.replace(".", "_"): [[PRIVATE]]})
    refused({"/1.jpg": page()}, "not public", host=PRIVATE, names=names)


def test_the_system_resolver_and_the_real_rule_refuse_loopback():
    async def run():
        async with internet({}) as (fetcher, site, _, _):
            own = type(fetcher)(fetcher._rules, fetcher._limits)
            with pytest.raises(UrlUnreachable) as raised:
                await own.fetch(f"http://127.0.0.1:{site.port}/", own.deadline())
            assert "not public" in raised.value.reason
            assert site.connections == 0

    asyncio.run(run())


def test_a_name_that_changes_its_mind_is_asked_once():
    names = Names(photos_example=[[PUBLIC], [PRIVATE]])
    photo, _, names = fetch({"/1.jpg": page(b"photo")}, names=names)
    assert photo == b"photo"
    assert names.asked == ["photos.example"]


def test_a_name_that_changes_its_mind_before_a_redirect_is_refused():
    names = Names(photos_example=[[PUBLIC], [PRIVATE]])
    refused({"/1.jpg": redirect("/2.jpg"), "/2.jpg": page()}, "not public", names=names)
    assert names.asked == ["photos.example"] * 2


def test_the_next_address_is_tried():
    async def run():
        async with internet({"/1.jpg": page(b"photo")}) as (fetcher, site, _, names):
            fetcher._is_allowed = lambda _: True
            names.hosts["photos.example"] = [["127.0.0.3", "127.0.0.4", PUBLIC]]  # no server listens there
            return await fetcher.fetch(f"http://photos.example:{site.port}/1.jpg", fetcher.deadline())

    assert asyncio.run(run()) == b"photo"


@pytest.mark.parametrize("names", [Names(), Names(photos_example=[[]])])
def test_a_name_that_nobody_has(names):
    refused({}, "no such host", names=names)


def test_a_closed_port_and_a_private_address_are_told_alike():
    async def run():
        async with internet({}) as (fetcher, site, private, names):
            url, errors = f"http://photos.example:{site.port}/1.jpg", []
            for answer in ([PRIVATE], ["127.0.0.3"]):
                names.hosts["photos.example"] = [answer]
                fetcher._is_allowed = lambda address: address != PRIVATE
                with pytest.raises(UrlUnreachable) as raised:
                    await fetcher.fetch(url, fetcher.deadline())
                errors.append((raised.value.code, str(raised.value)))
            assert private.connections == 0
            return errors

    assert asyncio.run(run()) == [("url_unreachable", DETAIL)] * 2


@pytest.mark.parametrize(
    "url", ["http://other.example/", "ftp://photos.example/", "http://a:b@photos.example/", "http://photos.example:22/"]
)
def test_a_url_that_is_not_allowed_is_not_even_looked_up(url):
    async def run():
        async with internet({}) as (fetcher, _, _, names):
            with pytest.raises(UrlNotAllowed):
                await fetcher.fetch(url, fetcher.deadline())
            assert names.asked == []

    asyncio.run(run())


# Redirects


@pytest.mark.parametrize("status", ["301 x", "302 x", "303 x", "307 x", "308 x"])
def test_a_redirect_is_followed(status):
    pages = {"/1.jpg": redirect("a/2.jpg", status), "/a/2.jpg": redirect("/3.jpg", status), "/3.jpg": page(b"photo")}
    photo, site, names = fetch(pages)
    assert photo == b"photo"
    assert len(site.requests) == len(names.asked) == 3


@pytest.mark.parametrize(
    "location",
    [
        f"http://{PRIVATE}:PORT/",
        "http://inside.photos.example:PORT/",
        "http://[::1]:PORT/",
        "http://[::ffff:127.0.0.2]:PORT/",
        "http://2130706434:PORT/",
        "http://localhost:PORT/",
        "http://other.example:PORT/",
        "http://photos.example:22/",
        "http://user:password@photos.example:PORT/",
        "file:///etc/passwd",
        "gopher://photos.example:PORT/",
        "//127.0.0.2:PORT/",
        "\\\\127.0.0.2:PORT/",
        "http://photos.example:PORT\\@127.0.0.2/",
        "http://photos.example:PORT/" + "x" * 3000,
        "http://[",
        "",
    ],
)
def test_a_redirect_to_where_nobody_may_go(location):
    async def run():
        names = Names(
            photos_example=[[PUBLIC]],
            inside_photos_example=[[PRIVATE]],
            **{PRIVATE.replace(".", "_"): [[PRIVATE]]},
        )
        async with internet({}, names=names) as (fetcher, site, private, _):
            site.pages["/1.jpg"] = redirect(location.replace("PORT", str(site.port)))
            with pytest.raises(UrlUnreachable) as raised:
                await fetcher.fetch(f"http://photos.example:{site.port}/1.jpg", fetcher.deadline())
            assert (str(raised.value), site.connections, private.connections) == (DETAIL, 1, 0)

    asyncio.run(run())


def test_a_chain_that_ends_at_a_private_address():
    names = Names(photos_example=[[PUBLIC]], a_photos_example=[[PUBLIC]], b_photos_example=[[PRIVATE]])

    async def run():
        async with internet({}, names=names) as (fetcher, site, _, _):
            for path, host in (("/1.jpg", "a"), ("/2.jpg", "b")):
                site.pages[path] = redirect(f"http://{host}.photos.example:{site.port}/2.jpg")
            with pytest.raises(UrlUnreachable) as raised:
                await fetcher.fetch(f"http://photos.example:{site.port}/1.jpg", fetcher.deadline())
            assert raised.value.reason == "b.photos.example: an address of it is not public"
            assert site.connections == 2

    asyncio.run(run())


def test_a_circle_ends():
    error = refused({"/1.jpg": redirect("/1.jpg")}, "too many redirects")
    assert "/1.jpg" not in error.reason


def test_as_many_redirects_as_are_allowed():
    pages = {f"/{number}.jpg": redirect(f"/{number + 1}.jpg") for number in range(1, 4)} | {"/4.jpg": page(b"photo")}
    assert fetch(pages)[0] == b"photo"
    refused(pages, "too many redirects", redirects=2)


# Content


@pytest.mark.parametrize("status", ["204 x", "206 x", "304 x", "400 x", "401 x", "403 x", "404 x", "407 x", "500 x"])
def test_an_answer_that_is_none(status):
    refused({"/1.jpg": page(b"", status)}, f"status {status[:3]}")


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "identity, gzip", "GZIP"])
def test_a_compressed_answer_is_refused_unread(encoding):
    bomb = gzip.compress(bytes(10_000_000))
    refused({"/1.jpg": page(bomb, Content_Encoding=encoding)}, "compressed")


def test_compressed_bytes_that_are_not_called_so_are_just_bytes():
    bomb = gzip.compress(bytes(1_000_000))
    assert fetch({"/1.jpg": page(bomb)})[0] == bomb


def too_large(pages):
    with pytest.raises(TooManyBytes, match="100,000"):
        fetch(pages)


def test_too_large_is_said_at_once_when_it_is_announced():
    async def announce(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n")
        await asyncio.sleep(60)

    started = time.monotonic()
    too_large({"/1.jpg": announce})
    assert time.monotonic() - started < 1.5


def test_exactly_as_large_as_may_be():
    assert len(fetch({"/1.jpg": page(bytes(100_000))})[0]) == 100_000


@pytest.mark.parametrize("head", [b"Transfer-Encoding: chunked\r\n", b""])
def test_a_body_without_an_end_is_cut(head):
    async def endless(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        while True:
            writer.write(b"10000\r\n" + bytes(65536) + b"\r\n" if head else bytes(65536))
            await writer.drain()

    tracemalloc.start()
    too_large({"/1.jpg": endless})
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_content_length_that_lies():
    assert fetch({"/1.jpg": page(b"photo and more", content_length="5")})[0] == b"photo"
    refused({"/1.jpg": page(b"photo", content_length="50")}, "RemoteProtocolError")
    refused({"/1.jpg": page(b"photo", content_length="-5")}, "RemoteProtocolError")
    refused({"/1.jpg": page(b"photo", content_length="9" * 5000)}, "RemoteProtocolError")


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 500_000, b"\x16\x03\x01\x00\xff" * 9]
)
def test_what_is_no_http(answer):
    refused({"/1.jpg": answer}, "ProtocolError")


def test_a_server_that_drips_is_left_in_time():
    async def drip(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    started = time.monotonic()
    refused({"/1.jpg": drip}, "too long", seconds=0.5)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nX: "])
def test_a_server_that_says_nothing_is_left_in_time(said):
    async def silent(_, writer):
        writer.write(said)
        await asyncio.sleep(60)

    refused({"/1.jpg": silent}, "too long", seconds=0.3)


def test_all_redirects_together_have_the_time_of_one():
    async def slow(_, writer):
        await asyncio.sleep(0.25)
        writer.write(redirect("/1.jpg"))

    started = time.monotonic()
    refused({"/1.jpg": slow}, "too long", seconds=0.6, redirects=9)
    assert time.monotonic() - started < 1.5


def test_a_name_server_that_says_nothing_is_left_in_time():
    class Silent(Names):
        async def __call__(self, host, port):
            await asyncio.sleep(60)
            return await super().__call__(host, port)

    refused({}, "too long", names=Silent(), seconds=0.3)


# Concurrency


def test_only_so_many_at_once_and_the_others_wait_their_turn():
    now = most = 0

    async def counted(_, writer):
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.05)
        now -= 1
        writer.write(page(b"photo"))

    async def run():
        async with internet({"/1.jpg": counted}, at_once=3) as (fetcher, site, _, _):
            url = f"http://photos.example:{site.port}/1.jpg"
            return await asyncio.gather(*(fetcher.fetch(url, fetcher.deadline()) for _ in range(12)))

    assert asyncio.run(run()) == [b"photo"] * 12
    assert most == 3


def test_who_finds_no_place_in_time_is_told_so():
    async def silent(_, __):
        await asyncio.sleep(60)

    async def run():
        async with internet({"/1.jpg": silent}, at_once=1, seconds=0.3) as (fetcher, site, _, _):
            url = f"http://photos.example:{site.port}/1.jpg"
            outcomes = await asyncio.gather(
                *(fetcher.fetch(url, fetcher.deadline()) for _ in range(2)), return_exceptions=True
            )
            assert [type(each) for each in outcomes] == [UrlUnreachable, Overloaded]

    asyncio.run(run())


def test_what_comes_is_held_as_it_comes():
    async def run():
        held = []

        def hold(more):
            held.append(more)
            if sum(held) > 50_000:
                raise Overloaded("full")

        async with internet({"/1.jpg": page(bytes(90_000)), "/2.jpg": page(bytes(900))}) as (fetcher, site, _, _):
            url = f"http://photos.example:{site.port}"
            assert len(await fetcher.fetch(f"{url}/2.jpg", fetcher.deadline(), hold)) == sum(held) == 900
            with pytest.raises(Overloaded):
                await fetcher.fetch(f"{url}/1.jpg", fetcher.deadline(), hold)
            assert fetcher._slots._value == 4

    asyncio.run(run())


def test_proxies_of_the_environment_are_not_asked(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.2:9")
    assert fetch({"/1.jpg": page(b"photo")})[0] == b"photo"


def test_cookies_are_forgotten():
    pages = {"/1.jpg": page(b"", "302 x", Location="/2.jpg", Set_Cookie="a=b"), "/2.jpg": page(b"photo")}
    _, site, _ = fetch(pages)
    assert b"cookie" not in site.requests[1].lower()
