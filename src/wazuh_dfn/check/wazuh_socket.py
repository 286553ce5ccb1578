"""Check of the socket for delivery confirmations to Wazuh. Alerts are delivered without it too."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

from wazuh_dfn.check.access import why_denied
from wazuh_dfn.check.findings import Finding, ok, warning

_CONNECT_SECONDS = 2.0
_RUNS = "check that Wazuh is running (systemctl status wazuh-manager); alerts are delivered anyway, but Wazuh gets no feedback"


def check_wazuh_socket(path: Path) -> list[Finding]:
    """Connect to the socket (datagram, or stream if it is of that type) and disconnect, without sending anything.

    It blocks for up to 2 s.
    """
    try:
        _reach(path)
    except FileNotFoundError:
        return [warning("wazuh-socket", f"{path} does not exist", _RUNS)]
    except PermissionError:
        return [warning("wazuh-socket", f"{path} cannot be used by this user", why_denied(path))]
    except OSError as error:
        gone = error.errno in {errno.ECONNREFUSED, errno.ENOTSOCK}
        text = f"{path} exists, but no process listens on it" if gone else f"{path} cannot be used: {error.strerror or error}"
        return [warning("wazuh-socket", text, _RUNS)]
    return [ok("wazuh-socket", f"Wazuh listens on {path}")]


def _reach(path: Path) -> None:
    try:
        _connect(path, socket.SOCK_DGRAM)
    except OSError as error:
        if error.errno != errno.EPROTOTYPE:
            raise
        _connect(path, socket.SOCK_STREAM)


def _connect(path: Path, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_UNIX, kind) as connection:
        connection.settimeout(_CONNECT_SECONDS)
        connection.connect(str(path))
