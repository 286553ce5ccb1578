"""Whether something answers at Wazuh's queue socket."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

_CONNECT_SECONDS = 2.0


def reach_queue(path: Path) -> None:
    """Connect to analysisd's queue socket (datagrams, or a stream if it is of that type) and hang up. It blocks for at most 2 s.

    Raises:
        OSError: it can't be used.
    """
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
