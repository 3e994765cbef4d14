"""Protection of a service without API keys: it answers only to this machine's names and to its own page.

A browser on this machine can reach the service from every page that it shows. A page of another site is recognized by
`Origin` or `Sec-Fetch-Site`; a page whose name resolves to this machine (DNS rebinding) is recognized by `Host`.
"""

import ipaddress
import re
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import Scope

from app.errors import FirstKeyForbidden, HostForbidden, OriginForbidden

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/@?#\s]+)(?::[0-9]{0,5})?")
_OWN_SITE = frozenset({"same-origin", "none"})
_LONGEST_SHOWN = 200
_KEY = "create an API key: arcid keys create NAME --scope admin"
_FORWARDING = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""Headers that proxies add."""


class Keyless:
    """Check of requests while the service has no API keys."""

    def __init__(self, *, hosts: Collection[str], origins: Collection[str]) -> None:
        """Allow additional host names, and pages of additional origins; `*` has no effect without keys."""
        self._hosts = frozenset(str(_address(each) or each) for each in hosts)
        self._origins = frozenset(origins) - {"*"}

    def require(self, scope: Scope) -> None:
        """Raise HostForbidden or OriginForbidden."""
        self.require_host(scope)
        self._require_site(Headers(scope=scope))

    @staticmethod
    def require_this_machine(scope: Scope) -> None:
        """Raise FirstKeyForbidden, HostForbidden or OriginForbidden unless the caller may create the first key.

        The request must come from a loopback address, through no proxy, to a name of this machine, and from no page but
        the service's own: names and pages in the settings do not count.
        """
        client, headers = _address((scope.get("client") or ("",))[0]), Headers(scope=scope)
        if client is None or not client.is_loopback or any(name in headers for name in _FORWARDING):
            raise FirstKeyForbidden(
                "the first API key can be created only on the service's own machine, and not through a proxy; "
                "run there: arcid keys create NAME --scope admin"
            )
        Keyless(hosts=(), origins=()).require(scope)

    def require_host(self, scope: Scope) -> None:
        """Raise HostForbidden if the request names another host than this machine."""
        given = Headers(scope=scope).getlist("host")
        if len(given) != 1 or not self._is_own(given[0], scope):
            shown = ", ".join(given)[:_LONGEST_SHOWN]
            raise HostForbidden(
                f"without API keys the service answers to this machine's own names, not to the host {shown!r}; {_KEY}, "
                "or name the host in ARCID_SERVER__HOSTS"
            )

    def _is_own(self, given: str, scope: Scope) -> bool:
        found = _HOST.fullmatch(given)
        if found is None:
            return False
        name = found[1].strip("[]").lower().removesuffix(".")
        address = _address(name)
        if address is None:
            return name == "localhost" or name.endswith(".localhost") or name in self._hosts
        # DNS rebinding cannot forge an address: the browser has connected to the one that it sends.
        arrived = _address((scope.get("server") or ("",))[0])
        return address.is_loopback or address == arrived or str(address) in self._hosts

    def _require_site(self, headers: Headers) -> None:
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin in self._origins:
            return
        is_own = origin is None or origin.lower().partition("://")[2] == headers["host"].lower()
        if not is_own or site not in {None, *_OWN_SITE}:
            who = "a page of another site" if origin is None else f"a page of {origin[:_LONGEST_SHOWN]!r}"
            raise OriginForbidden(
                f"without API keys the service answers only to its own page, not to {who}; {_KEY}, "
                "or name the page's origin in ARCID_CORS__ORIGINS"
            )


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address
