"""Which brokers may be connected to: protection against server-side request forgery."""

import socket
from collections.abc import Callable, Collection

from app.errors import UrlNotAllowed
from app.notify.mqtt.address import BrokerAddress
from app.remote.addresses import is_public
from app.remote.urls import matches

Resolver = Callable[[str, int], list[str]]
"""Host and port -> addresses; raises OSError."""


class BrokerHosts:
    """Brokers with public addresses over TLS, and the hosts that the operator names, which may be private."""

    def __init__(self, private_hosts: Collection[str], resolve: Resolver | None = None) -> None:
        """`private_hosts` are names, addresses and `*.name`."""
        self._private_hosts = tuple(each.lower() for each in private_hosts)
        self._resolve = resolve or _resolved

    def require_allowed(self, address: BrokerAddress) -> None:
        """Raise UrlNotAllowed if a broker would not be connected to, whatever its addresses."""
        if not address.is_encrypted and not self._is_private(address.host):
            raise UrlNotAllowed("the URL must start with mqtts://, unless ARCID_DELIVERY__HOSTS names its host")

    def addresses(self, address: BrokerAddress) -> list[str]:
        """Return the addresses to connect to; raises OSError if one is not allowed. A broker is resolved once."""
        found = self._resolve(address.host, address.port)
        if not self._is_private(address.host) and not all(map(is_public, found)):
            raise OSError("an address of the broker is not public, and ARCID_DELIVERY__HOSTS does not name its host")
        return found

    def _is_private(self, host: str) -> bool:
        return any(matches(host.lower(), pattern) for pattern in self._private_hosts)


def _resolved(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
