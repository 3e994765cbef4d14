"""Download of a file that the project or the operator names, such as a network. Photos come through `fetching`."""

import httpx2

from app.errors import ArchiveUnavailable

HTTPS = frozenset({"https"})

_TIMEOUT_S = 30.0  # for a connection, and for each part of the answer
_MAX_REDIRECTS = 5
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "arcid"}


def download(url: str, *, largest: int, schemes: frozenset[str] = HTTPS) -> bytes:
    """Return the content at a URL. The environment may name a proxy and certificates, as for pip.

    Args:
        url: Address of the file.
        largest: Number of bytes that the content may have.
        schemes: Schemes that the address, and each redirect, may have.

    Raises:
        ArchiveUnavailable: If the content cannot be downloaded or is too large.
    """
    try:
        target = httpx2.URL(url)
        with httpx2.Client(timeout=_TIMEOUT_S, headers=_HEADERS) as client:
            for _ in range(_MAX_REDIRECTS + 1):
                if target.scheme not in schemes:
                    raise _unavailable(url, f"{target} is not an {' or '.join(sorted(schemes))} address")
                with client.stream("GET", target) as response:
                    if response.next_request is None:
                        return _body(url, response, largest)
                    target = response.next_request.url
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise _unavailable(url, str(error) or type(error).__name__) from error
    raise _unavailable(url, "too many redirects")


def _body(url: str, response: httpx2.Response, largest: int) -> bytes:
    if response.status_code != 200:
        raise _unavailable(url, f"status {response.status_code}")
    body = bytearray()
    for part in response.iter_raw():
        body += part
        if len(body) > largest:
            raise _unavailable(url, f"it has more than {largest} bytes")
    return bytes(body)


def _unavailable(url: str, reason: str) -> ArchiveUnavailable:
    return ArchiveUnavailable(f"{url} could not be downloaded: {reason}")
