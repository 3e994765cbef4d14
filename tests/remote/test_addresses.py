"""No special-purpose address passes, in any notation or encapsulation."""

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.remote.addresses import is_public

# The registries are repeated here, so that a mistake in the code's own lists is noticed.
REGISTERED_V4 = [
    "0.0.0.0/8",
    "0.0.0.0/32",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.0.0/29",
    "192.0.0.8/32",
    "192.0.0.9/32",
    "192.0.0.10/32",
    "192.0.0.170/32",
    "192.0.0.171/32",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4",
    "255.255.255.255/32",
    "224.0.0.0/4",
]
REGISTERED_V6 = [
    "::1/128",
    "::/128",
    "::ffff:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/23",
    "2001::/32",
    "2001:1::1/128",
    "2001:1::2/128",
    "2001:1::3/128",
    "2001:2::/48",
    "2001:3::/32",
    "2001:4:112::/48",
    "2001:10::/28",
    "2001:20::/28",
    "2001:30::/28",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
    "::/96",
    "fec0::/10",
]
METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "fd00:ec2::254",
    "fd20:ce::254",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700:4700::1111",
    "2a00:1450:4001::8a",
]


def inside(networks):
    return st.sampled_from(networks).flatmap(
        lambda network: st.integers(int(network.network_address), int(network.broadcast_address))
    )


special_v4 = inside([IPv4Network(each) for each in REGISTERED_V4]).map(IPv4Address)
special_v6 = inside([IPv6Network(each) for each in REGISTERED_V6]).map(IPv6Address)


@pytest.mark.parametrize("network", [*REGISTERED_V4, *REGISTERED_V6])
def test_both_ends_of_every_network_are_refused(network):
    for each in (ipaddress.ip_network(network)[0], ipaddress.ip_network(network)[-1]):
        assert not is_public(str(each))


@given(special_v4)
def test_special_ipv4(address):
    assert not is_public(str(address))


@given(special_v6)
def test_special_ipv6(address):
    assert not is_public(str(address))
    assert not is_public(address.exploded)


@given(st.one_of(special_v4, st.integers(0, 2**32 - 1).map(IPv4Address)))
def test_ipv4_inside_ipv6_is_refused_whatever_it_is(address):
    number = int(address)
    embedded = [
        f"::ffff:{address}",
        f"::{address}",
        f"::ffff:0:{address}",
        f"64:ff9b::{address}",
        f"64:ff9b:1::{address}",
        str(IPv6Address(0x2002 << 112 | number << 80 | 1)),  # 6to4
        str(IPv6Address(0x20010000 << 96 | number << 64 | number ^ 0xFFFFFFFF)),  # Teredo
        str(IPv6Address(0x2A001450 << 96 | 0x5EFE << 32 | number)),  # ISATAP
        str(IPv6Address(0x2A001450 << 96 | 0x02005EFE << 32 | number)),
    ]
    assert not any(map(is_public, embedded))


@given(st.one_of(st.integers(0, 2**32 - 1).map(IPv4Address), st.integers(0, 2**128 - 1).map(IPv6Address)))
def test_what_the_standard_library_calls_special_is_refused(address):
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert not is_public(str(address))


@given(st.integers(0, 2**125 - 1))
def test_only_global_unicast_ipv6_passes(number):
    address = IPv6Address(0x2 << 124 | number)
    if is_public(str(address)):
        assert address.is_global
    assert not any(is_public(str(IPv6Address(top << 125 | number))) for top in (0, 2, 3, 4, 5, 6, 7))


@pytest.mark.parametrize("address", METADATA)
def test_metadata_of_clouds(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "2130706433",
        "0x7f000001",
        "127.1",
        "0177.0.0.1",
        "1.1.1.1 ",
        "[::1]",
        "2606:4700::1%eth0",
        "1.1.1",
    ],
)
def test_what_is_no_plain_address(text):
    assert not is_public(text)
