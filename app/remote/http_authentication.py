"""The `Authorization` header for user name and password of a URL: Basic and Digest (RFC 7617, RFC 7616); pure."""

from httpx2 import URL, BasicAuth, DigestAuth, ProtocolError, Request, Response


def authorization_of(url: URL, challenge: bytes) -> bytes:
    """Return the header's value that answers a challenge (`WWW-Authenticate`); empty if it is of neither kind."""
    kind = challenge.partition(b" ")[0].lower()
    if kind not in {b"basic", b"digest"}:
        return b""
    login = (url.username, url.password)
    flow = (DigestAuth if kind == b"digest" else BasicAuth)(*login).auth_flow(Request("GET", url))
    request = next(flow)
    if kind == b"digest":
        try:
            request = flow.send(
                Response(401, headers={"WWW-Authenticate": challenge.decode("latin-1")}, request=request)
            )
        except (ProtocolError, ValueError, KeyError, NotImplementedError, StopIteration):  # malformed
            return b""
    return request.headers.get("authorization", "").encode()
