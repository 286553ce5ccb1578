"""Broker addresses: `host:port`, IPv6 hosts in brackets, several with commas between them."""

from __future__ import annotations

import re
import reprlib
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

_ADDRESS = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^\s:\[\]/@]+)):(?P<port>[0-9]{1,5})")
_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker listens: `host` is a name or an IP address (without brackets), `port` is from 1 to 65,535."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether this is surely the own machine: `localhost`, 127.0.0.0/8 or ::1."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether a name or an address is surely the own machine: `localhost`, 127.0.0.0/8 or ::1."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def parse_brokers(text: str) -> tuple[BrokerAddress, ...]:
    """Read a list of broker addresses.

    Args:
        text: One or more `host:port`, with commas between them.

    Raises:
        ValueError: An address has another form, or there is none.
    """
    brokers = tuple(parse_broker(part.strip()) for part in text.split(",") if part.strip())
    if not brokers:
        raise ValueError("no broker is named")
    return brokers


def parse_broker(text: str) -> BrokerAddress:
    """Read one `host:port`; raises ValueError if it has another form."""
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError(f"{reprlib.repr(text)} is no address of a broker")
    port = int(match["port"])
    if not 1 <= port <= _HIGHEST_PORT:
        raise ValueError(f"{port} is no port")
    if match["v6"] is not None:
        try:
            return BrokerAddress(str(IPv6Address(match["v6"])), port)
        except ValueError:
            raise ValueError(f"{reprlib.repr(match['v6'])} is no IPv6 address") from None
    if not _HOST.fullmatch(match["host"]):
        raise ValueError(f"{reprlib.repr(match['host'])} is no name of a host")
    return BrokerAddress(match["host"], port)
