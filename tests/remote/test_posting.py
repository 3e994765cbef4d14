import asyncio
import threading
from contextlib import contextmanager
from typing import Any

import pytest

from app.errors import UrlNotAllowed, UrlUnreachable
from app.remote.posting import Poster
from tests.remote.servers import PRIVATE, PUBLIC, Names, Site, contexts, page, site_at


@contextmanager
def internet(pages, tls=None):
    """Yield the public site and the private one on the same port, both served in a thread."""
    loop, is_up, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    sites: list[Site] = []

    async def serve():
        async with site_at(PUBLIC, pages, tls) as public, site_at(PRIVATE, {}, None, public.port) as private:
            sites.extend((public, private))
            is_up.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert is_up.wait(10)
    try:
        yield sites
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def poster(names=None, private_hosts=(), **options):
    given: dict[str, Any] = {"seconds": 5, "is_allowed": lambda address: address == PUBLIC} | options
    return Poster(private_hosts, resolve=names or Names(photos_example=[[PUBLIC]]), **given)


def refused(sender, url, reason):
    with pytest.raises(UrlUnreachable) as raised:
        sender.post(url, {}, b"{}")
    assert reason in raised.value.reason
    assert "secret" not in f"{raised.value} {raised.value.reason}"


def test_a_body_is_posted_over_tls_with_the_name_of_the_url(tmp_path):
    server, client = contexts(tmp_path)
    with internet({"/hook?secret": page(b"ok", "202 Accepted", Retry_After="7")}, server) as (site, _):
        answer = poster(tls=client).post(f"https://photos.example:{site.port}/hook?secret", {"webhook-id": "a"}, b"{}")
    assert (answer.status, answer.retry_after) == (202, "7")
    head = site.requests[0].decode().lower()
    assert head.startswith("post /hook?secret http/1.1\r\n")
    assert f"host: photos.example:{site.port}\r\n" in head
    assert "content-length: 2\r\n" in head
    assert "webhook-id: a\r\n" in head
    assert site.names == ["photos.example"]


def test_a_certificate_for_another_name_is_refused(tmp_path):
    server, client = contexts(tmp_path, "other.example")
    with internet({"/secret": page()}, server) as (site, _):
        refused(poster(tls=client), f"https://photos.example:{site.port}/secret", "ConnectError")


@pytest.mark.parametrize("answer", [[PRIVATE], [PUBLIC, PRIVATE], [PUBLIC, "::1"], [PUBLIC, "169.254.169.254"]])
def test_an_address_that_is_not_public_is_refused(answer):
    with internet({}) as (public, private):
        names = Names(photos_example=[answer])
        refused(poster(names), f"https://photos.example:{public.port}/secret", "not public")
        assert public.connections == private.connections == 0


def test_a_redirect_is_an_answer_like_others(tmp_path):
    server, client = contexts(tmp_path)
    moved = page(b"", "307 Temporary Redirect", Location="http://127.0.0.2/")
    with internet({"/hook": moved}, server) as (site, private):
        answer = poster(tls=client).post(f"https://photos.example:{site.port}/hook", {}, b"{}")
        assert (answer.status, site.connections, private.connections) == (307, 1, 0)


def test_a_host_that_the_operator_names_may_be_private_and_without_tls():
    names = Names(box_lan=[[PUBLIC]])
    with internet({"/hook": page()}) as (site, _):
        url = f"http://box.lan:{site.port}/hook"
        sender = poster(names, ["*.lan"], is_allowed=lambda _: False)
        assert sender.post(url, {}, b"{}").status == 200
        with pytest.raises(UrlNotAllowed, match="ARCID_DELIVERY__HOSTS"):
            poster(names, ["other.lan"]).post(url, {}, b"{}")


def test_a_receiver_that_takes_too_long():
    async def silent(_reader, _writer):
        await asyncio.sleep(30)

    async def endless(_reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
            await writer.drain()

    with internet({"/silent": silent, "/endless": endless}) as (site, _):
        sender = poster(Names(box_lan=[[PUBLIC]]), ["box.lan"], seconds=0.3)
        refused(sender, f"http://box.lan:{site.port}/silent", "too long")
        assert sender.post(f"http://box.lan:{site.port}/endless", {}, b"{}").status == 200


def test_names_without_addresses():
    for names in (Names(), Names(photos_example=[[]])):
        refused(poster(names), "https://photos.example/secret", "no such host")


@pytest.mark.parametrize(
    "url",
    ["ftp://photos.example/", "https://user:password@photos.example/", "https://photos.example:25/", "https://a b/"],
)
def test_urls_that_are_not_allowed(url):
    with pytest.raises(UrlNotAllowed):
        poster().target(url)
