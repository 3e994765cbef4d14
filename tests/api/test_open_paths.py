"""Without a key, over a raw socket: no spelling of a path leads to a route that needs one."""

import socket
from contextlib import suppress

import pytest

from app.access.keys import NewKey, Scope
from app.cli.demo import serving
from app.config import RateSettings
from app.container import Container
from tests.api.test_permissions import ALLOWED

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO", "get")
SPELLINGS = (
    *("{path}", "{path}/", "{path}//", "/{path}", "//x{path}", "/.{path}", "/x/..{path}", "{path}/..", "{path}/."),
    *("{path}?collection=default", "{path}#/healthz", "{path};/healthz", "{path}%00", "{path}%20", "{path}%2F"),
    *(
        "/%2F{path}",
        "/healthz/..{path}",
        "/healthz%2F..{path}",
        "/healthz;{path}",
        "/healthz%00{path}",
        "/healthz{path}",
    ),
    *("/docs/..{path}", "/openapi.json{path}", "/DOCS/assets{path}"),
    *("http://x{path}", "http://x/healthz/..{path}", "http://healthz{path}", "https://user@x{path}"),
)
UNDER_THE_MOUNT = (
    "/docs%2Fassets{path}",
    "/docs/assets%2F..{path}",
    "/docs/assets{path}",
    "/docs/assets/..{path}",
    "/docs/assets/%2e%2e/%2e%2e{path}",
    "/docs/assets//{path}",
)


@pytest.fixture(scope="module")
def port(settings):
    settings = settings.model_copy(update={"rates": RateSettings(failures="none")})
    Container(settings).keys.create(NewKey("somebody", list(Scope)))
    with serving(settings, port=0) as address:
        yield int(address.rpartition(":")[2])


def status(port, method, target):
    """Return the status and body of an answer; nothing is read of a connection that is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode("latin-1"))
        answer = b""
        with suppress(TimeoutError):  # CONNECT leaves it open
            while part := connection.recv(65_536):
                answer += part
                connection.settimeout(1)
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def paths():
    return sorted({path.replace("{collection}", "default").replace("{", "").replace("}", "") for _, path in ALLOWED})


@pytest.mark.parametrize("path", paths())
def test_no_spelling_of_a_path_is_open(port, path):
    for spelling in SPELLINGS:
        for each in {path, path.upper(), path.replace("/", "%2F", 1), f"/%{ord(path[1]):02x}{path[2:]}"}:
            target = spelling.replace("{path}", each)
            for method in METHODS if each == path else ("GET", "POST"):
                got, _ = status(port, method, target)
                assert got in {400, 401}, (method, target)


@pytest.mark.parametrize("path", paths())
def test_the_mount_shows_its_own_files_only(port, path):
    for spelling in UNDER_THE_MOUNT:
        for method in ("GET", "HEAD", "POST", "DELETE"):
            got, body = status(port, method, spelling.replace("{path}", path))
            assert got in {400, 401, 404, 405}, (method, spelling)
            assert b"root:" not in body


@pytest.mark.parametrize("target", ["*", "x", "", "x:80", "/healthz HTTP/1.1\r\n\r\nGET /models"])
@pytest.mark.parametrize("method", ["OPTIONS", "CONNECT", "GET"])
def test_targets_that_are_no_path(port, method, target):
    got, body = status(port, method, target)
    assert got in {200, 400, 401, 405}
    assert b'"models"' not in body
    if got == 200:
        assert target.startswith("/healthz ")
