"""Identification of clients: addresses, the allow-list and the token."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from wazuh_dfn.config.addresses import is_loopback

IPV6_SITE_BITS = 64

type Networks = Sequence[IPv4Network | IPv6Network]


def client_address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address of a peer, or None if `host` is not an IP address.

    An IPv4-mapped IPv6 address is returned as IPv4.
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_allowed(address: IPv4Address | IPv6Address | None, networks: Networks) -> bool:
    """Return whether the address is in one of the networks. None is in no network."""
    return address is not None and any(address in network for network in networks)


def counted_as(address: IPv4Address | IPv6Address) -> str:
    """Return the key under which a client's requests are counted.

    For IPv6 it is the /64 network, because one client can use all of its addresses.
    """
    return str(address if address.version == 4 else ip_network((address, IPV6_SITE_BITS), strict=False))  # noqa: PLR2004


def is_own_name(host: str) -> bool:
    """Return whether the `Host` header names this machine or is empty."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return name is None or is_loopback(name)


def is_authorised(header: str, token: str) -> bool:
    """Return whether the `Authorization` header has the token. The token is compared in constant time (`secrets.compare_digest`)."""
    scheme, _, given = header.partition(" ")
    return scheme.lower() == "bearer" and secrets.compare_digest(given.strip().encode(), token.encode())
