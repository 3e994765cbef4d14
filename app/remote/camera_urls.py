"""Rules for the URLs of cameras, which usually have private addresses; pure, except for the resolver.

The operator lists the allowed hosts. Addresses of this machine, link-local addresses (clouds' metadata) and multicast
are allowed only if they are listed as addresses, because a name could resolve to them later.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from httpx2 import URL, InvalidURL

from app.errors import CameraUnreachable, CameraUrlNotAllowed, UrlNotAllowed
from app.remote.urls import LONGEST, PLAIN, UrlTarget, matches

_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
STREAM_SCHEMES = frozenset({"rtsp", "rtsps", "http"})
SNAPSHOT_SCHEMES = frozenset({"http", "https"})
_MASK = "***"

Resolver = Callable[[str, int], list[str]]
"""Host and port -> addresses; raises OSError."""


def masked(url: str) -> str:
    """Return a URL for people and logs: without password and query, which may contain secrets."""
    try:
        parsed = URL(url)
    except (InvalidURL, ValueError):
        return _MASK
    user = parsed.username
    if parsed.userinfo:
        parsed = parsed.copy_with(username=user, password=_MASK if parsed.password else None)
    text = str(parsed.copy_with(query=None, fragment=None))
    return f"{text}?{_MASK}" if parsed.query else text


@dataclass(frozen=True, slots=True)
class CameraUrlRules:
    """The hosts of cameras that the operator allows: names, `*.name`, addresses, and networks such as 10.0.3.0/24."""

    names: tuple[str, ...] = ()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parse(cls, hosts: tuple[str, ...]) -> "CameraUrlRules":
        """Parse hosts that the settings have checked."""
        names, networks = [], []
        for each in hosts:
            try:
                networks.append(ip_network(each.strip("[]"), strict=False))
            except ValueError:
                names.append(each.lower())
        return cls(tuple(names), tuple(networks))

    def target(self, text: str, schemes: frozenset[str] = SNAPSHOT_SCHEMES) -> UrlTarget:
        """Return the target of a URL; raises UrlNotAllowed."""
        if len(text) > LONGEST or not PLAIN.fullmatch(text):
            raise UrlNotAllowed(f"a URL has at most {LONGEST} characters, no spaces and no backslashes")
        try:
            url = URL(text)
            port = url.port or _PORTS.get(url.scheme, 0)
            host = url.raw_host.decode("ascii").lower()
        except (InvalidURL, ValueError) as error:
            raise UrlNotAllowed("this is not a URL") from error
        if url.scheme not in schemes:
            raise UrlNotAllowed(f"the URL must start with {' or '.join(f'{each}://' for each in sorted(schemes))}")
        if not host or not self._is_named(host):
            raise UrlNotAllowed(
                f"the host {host!r} is not one of ARCID_CAMERAS__HOSTS; add it there, and restart the service"
            )
        return UrlTarget(url, url.scheme, host, port)

    def allows(self, address: str) -> bool:
        """Return whether an address, to which an allowed host resolved, may be connected to."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        if any(parsed in network for network in self.networks):
            return True
        is_special = parsed.is_loopback or parsed.is_link_local or parsed.is_multicast or parsed.is_unspecified
        mapped = getattr(parsed, "ipv4_mapped", None)
        return bool(self.names) and not is_special and not parsed.is_reserved and mapped is None

    def _is_named(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return any(matches(host, pattern) for pattern in self.names)
        return any(address in network for network in self.networks)


def require_allowed(rules: CameraUrlRules, url: str, schemes: frozenset[str]) -> UrlTarget:
    """Return the target of a camera's URL; raises CameraUrlNotAllowed."""
    try:
        return rules.target(url, schemes)
    except UrlNotAllowed as error:
        raise CameraUrlNotAllowed(str(error)) from None


def pinned(rules: CameraUrlRules, target: UrlTarget, resolve: Resolver | None = None) -> URL:
    """Return a URL with the checked address of its host in place of the name, so that it cannot change afterwards.

    Raises CameraUnreachable if the host is unknown, CameraUrlNotAllowed if it resolves to an address not allowed.
    """
    try:
        addresses = (resolve or _system)(target.host, target.port)
    except (OSError, UnicodeError) as error:
        raise CameraUnreachable("the camera's host is unknown", str(error)) from error
    if not addresses or not all(map(rules.allows, addresses)):
        raise CameraUrlNotAllowed("the camera's host has an address that ARCID_CAMERAS__HOSTS does not allow")
    return target.url.copy_with(host=addresses[0])


def _system(host: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
