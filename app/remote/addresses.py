"""Check for public internet addresses; pure.

It follows IANA's special-purpose address registries for IPv4 and IPv6 (RFC 6890 and its successors) strictly: every
special range is refused, even if it is globally reachable.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

SPECIAL_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # shared with a carrier (CGNAT); also clouds' metadata
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # Azure platform services
            "169.254.0.0/16",  # link-local; clouds' metadata
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # AMT
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",  # private
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # test benches
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
        ),
    )
)
GLOBAL_V6 = IPv6Network("2000::/3")
"""Global unicast. It excludes loopback, mapped and translated IPv4, NAT64, private, link-local, and others."""
SPECIAL_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, test benches, ORCHID ...
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: an IPv4 address inside
            "2620:4f:8000::/48",  # AS112
            "3ffe::/16",  # returned (former 6bone)
            "3fff::/20",  # documentation
        ),
    )
)
_ISATAP = (0x00005EFE, 0x02005EFE)  # an IPv4 address follows (RFC 5214)


def is_public(address: str) -> bool:
    """Return whether a text is the address of an ordinary host on the public internet."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return _is_public_v4(parsed) if isinstance(parsed, IPv4Address) else _is_public_v6(parsed)


def _is_public_v4(address: IPv4Address) -> bool:
    return not any(address in network for network in SPECIAL_V4)


def _is_public_v6(address: IPv6Address) -> bool:
    if address.scope_id is not None or address not in GLOBAL_V6 or any(address in network for network in SPECIAL_V6):
        return False
    return int(address) >> 32 & 0xFFFFFFFF not in _ISATAP
