"""Who asks: addresses, the allow-list and the token."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from wazuh_dfn.config.addresses import is_loopback

IPV6_SITE_BITS = 64

type Networks = Sequence[IPv4Network | IPv6Network]


def client_address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address of a peer, for an IPv4-mapped IPv6 address the IPv4 one; None for what is no address."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_allowed(address: IPv4Address | IPv6Address | None, networks: Networks) -> bool:
    """Tell whether one of the networks has this address; what is no address is in none."""
    return address is not None and any(address in network for network in networks)


def counted_as(address: IPv4Address | IPv6Address) -> str:
    """Return whose requests are counted together: those of an IPv6 network of 64 bits, as all its addresses can be of one client."""
    return str(address if address.version == 4 else ip_network((address, IPV6_SITE_BITS), strict=False))  # noqa: PLR2004


def is_own_name(host: str) -> bool:
    """Tell whether the header `Host` names this machine, or nothing."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return name is None or is_loopback(name)


def is_authorised(header: str, token: str) -> bool:
    """Tell whether the header `Authorization` has the token; how long that takes tells nothing about it."""
    scheme, _, given = header.partition(" ")
    return scheme.lower() == "bearer" and secrets.compare_digest(given.strip().encode(), token.encode())
