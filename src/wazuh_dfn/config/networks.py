"""Lists of IP networks, single addresses among them."""

from __future__ import annotations

import reprlib
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from wazuh_dfn.config.base import split_list


def _split(value: Any) -> Any:
    return () if value is None else split_list(value)


def _check(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        try:
            ip_network(value, strict=False)
        except ValueError:
            raise ValueError(f"{reprlib.repr(value)} is neither an address nor a network") from None
    return values


Networks = Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_check)]
"""Given as a list, or as a text with commas; bits of the host part are ignored."""


def networks_of(values: Networks) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return them as what they are; bits of the host part are ignored."""
    return tuple(ip_network(value, strict=False) for value in values)
