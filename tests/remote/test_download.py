"""Downloads over real connections, from a server on this machine."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app.errors import ArchiveUnavailable
from app.remote.download import download

BOTH = frozenset({"http", "https"})


@contextmanager
def answering(answers: dict[str, tuple[int, dict[str, str], bytes]]) -> Iterator[str]:
    """Context manager: serve fixed answers (status, headers, body) by path; return the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def redirect(location: str) -> tuple[int, dict[str, str], bytes]:
    return 302, {"Location": location}, b""


def test_a_file_is_downloaded():
    with answering({"/a.bin": (200, {}, b"content")}) as address:
        assert download(f"{address}/a.bin", largest=7, schemes=BOTH) == b"content"


def test_redirects_are_followed():
    answers = {"/a": redirect("/b"), "/b": redirect("c/d"), "/c/d": (200, {}, b"content")}
    with answering(answers) as address:
        assert download(f"{address}/a", largest=100, schemes=BOTH) == b"content"


def test_endless_redirects_are_not():
    with (
        answering({"/a": redirect("/a")}) as address,
        pytest.raises(ArchiveUnavailable, match="/a could not be downloaded: too many redirects"),
    ):
        download(f"{address}/a", largest=100, schemes=BOTH)


def test_only_https_by_default():
    with (
        answering({"/a": (200, {}, b"content")}) as address,
        pytest.raises(ArchiveUnavailable, match="is not an https address"),
    ):
        download(f"{address}/a", largest=100)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://host/file"])
def test_a_redirect_to_another_scheme_is_refused(location: str):
    with answering({"/a": redirect(location)}) as address, pytest.raises(ArchiveUnavailable, match="could not be"):
        download(f"{address}/a", largest=100, schemes=BOTH)


def test_a_file_that_is_too_large_is_refused():
    with (
        answering({"/a": (200, {}, b"x" * 101)}) as address,
        pytest.raises(ArchiveUnavailable, match="it has more than 100 bytes"),
    ):
        download(f"{address}/a", largest=100, schemes=BOTH)


def test_a_file_that_does_not_exist():
    with answering({}) as address, pytest.raises(ArchiveUnavailable, match="status 404"):
        download(f"{address}/a", largest=100, schemes=BOTH)


def test_a_download_that_is_cut_short():
    with (
        answering({"/a": (200, {"Content-Length": "50", "Connection": "close"}, b"short")}) as address,
        pytest.raises(ArchiveUnavailable, match="could not be downloaded"),
    ):
        download(f"{address}/a", largest=100, schemes=BOTH)


@pytest.mark.parametrize("url", ["https://127.0.0.1:1/a", "https://", "no address", "https://[/a"])
def test_an_address_that_leads_nowhere(url: str):
    with pytest.raises(ArchiveUnavailable, match="could not be downloaded"):
        download(url, largest=100)
