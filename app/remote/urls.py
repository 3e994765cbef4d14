"""Rules for URLs to fetch from; pure."""

import re
from collections.abc import Container
from dataclasses import dataclass

from httpx2 import URL, InvalidURL

from app.errors import UrlNotAllowed

LONGEST = 2048
_PORTS = {"http": 80, "https": 443}
# Excludes characters that URL parsers treat differently: spaces, control characters, backslashes.
PLAIN = re.compile(r"[^\x00-\x20\x7f\\]+")
_PATTERN = re.compile(r"\*|(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*|[0-9a-f:.]+")


@dataclass(frozen=True, slots=True)
class UrlTarget:
    """Location of a photo. `host` is lower-case ASCII, without the brackets of an IPv6 address."""

    url: URL
    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class UrlRules:
    """URLs that the operator allows. A host is a name, `*.name` for all names below it, or `*`."""

    hosts: tuple[str, ...]
    schemes: frozenset[str]
    ports: Container[int]

    @classmethod
    def parse(cls, hosts: str, schemes: str, ports: str) -> "UrlRules":
        """Parse comma-separated lists; raises ValueError if a host is missing or not valid."""
        names = tuple(host.strip().lower().encode("idna").decode() for host in hosts.split(",") if host.strip())
        if not names:
            raise ValueError("list the hosts to fetch from")
        wrong = [host for host in names if not _PATTERN.fullmatch(host)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is not a host: use photos.example.com, *.example.com, or *")
        return cls(names, frozenset(schemes.split(",")), frozenset(map(int, ports.split(","))))

    def target(self, text: str) -> UrlTarget:
        """Return the target of a URL given as text; raises UrlNotAllowed."""
        if len(text) > LONGEST or not PLAIN.fullmatch(text):
            raise UrlNotAllowed(f"a URL has at most {LONGEST} characters, no spaces and no backslashes")
        try:
            return self.of(URL(text))
        except (InvalidURL, ValueError) as error:
            raise UrlNotAllowed("this is not a URL") from error

    def of(self, url: URL) -> UrlTarget:
        """Return the target of a URL; raises UrlNotAllowed."""
        if url.scheme not in self.schemes:
            raise UrlNotAllowed(
                f"a URL must start with {' or '.join(sorted(f'{scheme}://' for scheme in self.schemes))}"
            )
        if url.userinfo:
            raise UrlNotAllowed("a URL must not contain a user name or password")
        port = url.port or _PORTS[url.scheme]
        if port not in self.ports:
            raise UrlNotAllowed("photos are not fetched from the URL's port")
        host = url.raw_host.decode("ascii").lower()
        if not host or not any(matches(host, pattern) for pattern in self.hosts):
            raise UrlNotAllowed("photos are not fetched from the URL's host")
        return UrlTarget(url, url.scheme, host, port)


def matches(host: str, pattern: str) -> bool:
    """Return whether a host is the one of a pattern: a name, `*.name` or `*`."""
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and host != pattern[1:]
    return pattern in {"*", host}
