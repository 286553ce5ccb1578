"""Wazuh's queue socket: datagrams, or a stream if something else listens at the path.

Every wait has a deadline.
"""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio.abc import ByteStream

from wazuh_dfn.errors import WazuhUnavailableError
from wazuh_dfn.wazuh.queue_connection import WazuhConnection

_FULL_BACKLOG_SECONDS = 0.1
"""Time between attempts to connect to a stream whose listener accepts nothing.

Its socket always looks writable, so waiting for that would spin.
"""

_BRIEF_WAIT_MILLISECONDS = 1
_PAUSE_FACTOR = 9
"""Length of the pause after a brief wait, as a multiple of that wait. Brief waits then take at most a tenth of the pipeline's time."""

_REASONS = {
    errno.ENOENT: "the socket does not exist; Wazuh is not running, or wazuh.unix_socket_path is wrong",
    errno.ENOTDIR: "the socket does not exist; Wazuh is not running, or wazuh.unix_socket_path is wrong",
    errno.ECONNREFUSED: "no process listens on it; start Wazuh's manager (analysisd)",
    errno.ENOTCONN: "no process listens on it any more; Wazuh was stopped",
    errno.EACCES: "permission denied; add the daemon's user to the group of the socket (wazuh)",
    errno.EPROTOTYPE: "it is not a datagram or stream socket; set wazuh.unix_socket_path to Wazuh's queue socket",
    errno.EMSGSIZE: "a message is larger than this system allows; lower wazuh.max_event_size",
}
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})


@dataclass(frozen=True, slots=True)
class QueueSocket:
    """Implements `WazuhSocket`.

    `address` is a path, or host and port of a TCP listener.
    """

    address: Path | tuple[str, int]
    connect_timeout_seconds: float = 30.0
    write_timeout_seconds: float = 10.0

    async def connect(self) -> WazuhConnection:
        """Connect.

        See `WazuhSocket`. At a path without a datagram socket, a stream is tried.
        """
        timeout = self.connect_timeout_seconds
        with self.translated(f"no connection within {timeout:g} s"), anyio.fail_after(timeout):
            if isinstance(self.address, tuple):
                return TcpConnection(self, await anyio.connect_tcp(*self.address))
            try:
                return UnixConnection(self, await _connected(self.address, socket.SOCK_DGRAM))
            except OSError as error:
                if error.errno != errno.EPROTOTYPE:
                    raise
            return UnixConnection(self, await _connected(self.address, socket.SOCK_STREAM), end=b"\n")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Limit the time that a message may take."""
        timeout = self.write_timeout_seconds
        with self.translated(f"Wazuh does not read, its buffer was full for {timeout:g} s"), anyio.fail_after(timeout):
            yield

    @contextmanager
    def translated(self, timeout_text: str = "") -> Iterator[None]:
        """Translate exceptions of the operating system and anyio into one clear line for the operator."""
        try:
            yield
        except TimeoutError as error:
            raise WazuhUnavailableError(f"{self}: {timeout_text}") from error
        except anyio.BrokenResourceError as error:
            raise self._unavailable(error.__cause__ or error) from error
        except OSError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: BaseException) -> WazuhUnavailableError:
        number = error.errno if isinstance(error, OSError) else None
        reason = _REASONS.get(number or 0) or (isinstance(error, OSError) and error.strerror) or str(error) or repr(error)
        return WazuhUnavailableError(f"{self}: {reason}", is_absent=number in _ABSENT)

    def __str__(self) -> str:
        return ":".join(map(str, self.address)) if isinstance(self.address, tuple) else str(self.address)


class UnixConnection:
    """Implements `WazuhConnection` on a Unix socket.

    A message is a datagram, which is accepted as a whole or not at all, or is ended by `end` in a stream. The socket is used directly,
    because anyio's own would yield to the event loop for each message.
    """

    def __init__(self, to: QueueSocket, connected: socket.socket, *, end: bytes = b"") -> None:
        self._to = to
        self._socket = connected
        self._end = end
        self._room = select.poll()
        self._room.register(connected, select.POLLOUT)
        self._may_wait_at = 0.0

    async def send(self, message: bytes) -> None:
        """Send a message, and wait while the receive buffer is full.

        After a timeout, a stream may have accepted a part, and the connection can no longer be used. Many systems queue ten datagrams.
        While the pipeline works, a normal reader makes room in less time than one turn of the event loop takes, so a brief wait without a
        turn comes first.
        """
        data = message + self._end
        with self._to.translated():
            rest = self._rest(data)
            if rest and self._has_room_in_a_moment():
                rest = self._rest(rest)
        if rest:
            with self._to.writing():
                while rest:
                    await anyio.wait_writable(self._socket)
                    rest = self._rest(rest)

    def _has_room_in_a_moment(self) -> bool:
        began = time.monotonic()
        if began < self._may_wait_at:
            return False
        has_room = bool(self._room.poll(_BRIEF_WAIT_MILLISECONDS))
        ended = time.monotonic()
        self._may_wait_at = ended + _PAUSE_FACTOR * (ended - began)
        return has_room

    def _rest(self, data: bytes) -> bytes:
        """Send as much as there is room for, and return the rest."""
        try:
            return data[self._socket.send(data) :]
        except BlockingIOError:
            return data

    async def aclose(self) -> None:
        """Close the socket."""
        self._socket.close()


class TcpConnection:
    """Implements `WazuhConnection` on TCP.

    A line feed ends each message, because its JSON cannot contain one.
    """

    def __init__(self, to: QueueSocket, stream: ByteStream) -> None:
        self._to = to
        self._stream = stream

    async def send(self, message: bytes) -> None:
        """Send a message.

        After a timeout a part may have been sent, and the connection can no longer be used.
        """
        with self._to.writing():
            await self._stream.send(message + b"\n")

    async def aclose(self) -> None:
        """Close the connection without waiting for data in flight."""
        await anyio.aclose_forcefully(self._stream)


async def _connected(path: Path, kind: socket.SocketKind) -> socket.socket:
    raw = socket.socket(socket.AF_UNIX, kind)
    try:
        raw.settimeout(0)
        while True:
            try:
                raw.connect(str(path))
            except BlockingIOError:
                await anyio.sleep(_FULL_BACKLOG_SECONDS)
            else:
                return raw
    except BaseException:
        raw.close()
        raise
