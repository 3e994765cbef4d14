"""Which URLs may be fetched from, as they are written; pure."""

import re
from dataclasses import dataclass

from httpx2 import URL, InvalidURL

from app.errors import UrlNotAllowed

LONGEST = 2048
_PORTS = {"http": 80, "https": 443}
# What parsers are known to disagree about: space, control characters, backslashes.
_PLAIN = re.compile(r"[^\x00-\x20\x7f\\]+")
_PATTERN = re.compile(r"\*|(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*|[0-9a-f:.]+")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a photo lies. `host` is ASCII in lower case, without the brackets of an IPv6 address."""

    url: URL
    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator allows. A host is a name, `*.name` for all names below it, or `*`."""

    hosts: tuple[str, ...]
    schemes: frozenset[str]
    ports: frozenset[int]

    @classmethod
    def parse(cls, hosts: str, schemes: str, ports: str) -> "Rules":
        """Read lists with commas; raises ValueError with the host that is none."""
        named = tuple(each.strip().lower().encode("idna").decode() for each in hosts.split(",") if each.strip())
        if not named:
            raise ValueError("list the hosts to fetch from")
        wrong = [each for each in named if not _PATTERN.fullmatch(each)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no host: say photos.example.com, *.example.com, or *")
        return cls(named, frozenset(schemes.split(",")), frozenset(map(int, ports.split(","))))

    def target(self, text: str) -> Target:
        """Return where a URL leads; raises UrlNotAllowed."""
        if len(text) > LONGEST or not _PLAIN.fullmatch(text):
            raise UrlNotAllowed(f"a URL has at most {LONGEST} characters, no spaces and no backslashes")
        try:
            return self.of(URL(text))
        except (InvalidURL, ValueError) as error:
            raise UrlNotAllowed("this is not a URL") from error

    def of(self, url: URL) -> Target:
        """Return where a URL leads; raises UrlNotAllowed."""
        if url.scheme not in self.schemes:
            raise UrlNotAllowed(f"a URL begins with {' or '.join(sorted(f'{each}://' for each in self.schemes))}")
        if url.userinfo:
            raise UrlNotAllowed("a URL with a user name or password is not fetched")
        port = url.port or _PORTS[url.scheme]
        if port not in self.ports:
            raise UrlNotAllowed("photos are not fetched from the URL's port")
        host = url.raw_host.decode("ascii").lower()
        if not host or not any(_fits(host, each) for each in self.hosts):
            raise UrlNotAllowed("photos are not fetched from the URL's host")
        return Target(url, url.scheme, host, port)


def _fits(host: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and host != pattern[1:]
    return pattern in {"*", host}
