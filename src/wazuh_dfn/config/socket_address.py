"""Where Wazuh's queue socket is: a path, or a host and a port; and the name under which Wazuh is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic_core import PydanticCustomError

SocketAddress = Path | tuple[str, int]
"""The path of a socket, or host and port."""

_HIGHEST_PORT = 65_535
_PARTS = 2


def parse_socket_address(value: Any) -> SocketAddress:
    """Read an address; environment variables and flags write a host and a port as JSON.

    Raises:
        ValueError: It is neither; the text says what is wrong.
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
    host, port = value if len(value) == _PARTS else (None, None)
    if not isinstance(host, str) or not host.strip():
        raise ValueError("this is no host with a port")
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= _HIGHEST_PORT:
        raise ValueError("the second entry is no port")
    return host.strip(), port


def check_name(value: str) -> str:
    """Refuse names that would break the form `1:LOCATION:JSON`.

    Raises:
        ValueError: It is empty, or holds a colon or what can't be printed.
    """
    if not value.strip() or ":" in value or not value.isprintable():
        raise ValueError("this is no usable name")
    return value
