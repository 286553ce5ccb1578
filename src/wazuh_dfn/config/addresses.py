"""Addresses in settings: brokers and proxies, sockets, hosts to listen on, and networks."""

from __future__ import annotations

import json
import re
import reprlib
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any

from pydantic_core import PydanticCustomError

_ADDRESS = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^\s:\[\]/@]+)):(?P<port>[0-9]{1,5})")
_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
_PROXY = re.compile(r"http://([^/@]+)/?")
_HIGHEST_PORT = 65_535


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
    """Read one `host:port`. Raises ValueError if it has another form."""
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


def joined_brokers(text: str) -> str:
    """Check a list of broker addresses, and write it in one form. Raises ValueError."""
    return ",".join(map(str, parse_brokers(text)))


def proxy_address(url: str) -> BrokerAddress:
    """Read `http://host:port`.

    Raises:
        ValueError: It has another form.
    """
    match = _PROXY.fullmatch(url)
    if match is None:
        raise ValueError(
            "this is no address of an HTTP proxy; http://host:port is one (HTTPS and passwords towards a proxy are not supported)"
        )
    return parse_broker(match[1])


def check_proxy(url: str) -> str:
    """Return the URL as it is. Raises ValueError if it is not that of an HTTP proxy."""
    proxy_address(url)
    return url


def check_listening_host(text: str) -> str:
    """Return a host to listen on without brackets. Raises ValueError if it can't be one."""
    if not text.strip() or not text.isascii() or not text.isprintable() or "/" in text:
        raise ValueError("this is no address to listen on")
    return text.strip().removeprefix("[").removesuffix("]")


def parse_socket_address(value: Any) -> Path | tuple[str, int]:
    """Read the address of a socket: a path, or a host and a port. Environment variables and flags write the latter as JSON.

    Raises:
        ValueError: It is neither. The text says what is wrong.
    """
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            raise ValueError("this looks like a list, and is no JSON") from None
    if isinstance(value, list | tuple):
        return _host_and_port(value)
    if not isinstance(value, str | Path):
        raise PydanticCustomError("path", "no path")
    text = str(value)
    if not text.strip():
        raise ValueError("the path is empty; feedback is turned off with wazuh.feedback = false")
    if "\0" in text or "\n" in text:
        raise ValueError("this is no path")
    return Path(text)


def _host_and_port(value: list[Any] | tuple[Any, ...]) -> tuple[str, int]:
    match value:
        case [str(host), port] if host.strip():
            if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= _HIGHEST_PORT:
                raise ValueError("the second entry is no port")
            return host.strip(), port
    raise ValueError("this is no host with a port")


def split_list(value: Any) -> Any:
    """Make a list of a text with commas. Anything else stays as it is."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def check_networks(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values as they are. Raises ValueError if one is neither an IP address nor a network."""
    for value in values:
        try:
            ip_network(value, strict=False)
        except ValueError:
            raise ValueError(f"{reprlib.repr(value)} is neither an address nor a network") from None
    return values


def networks_of(values: Iterable[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return the networks that `check_networks` accepted. Bits of the host part are ignored."""
    return tuple(ip_network(value, strict=False) for value in values)
