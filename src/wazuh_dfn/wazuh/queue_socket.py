"""Wazuh's queue socket: datagrams, or a stream where something else listens at the path. Every wait has a deadline."""

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
"""How often a stream's listener that accepts nobody is tried: its socket always looks writable, so waiting for that would spin."""

_BRIEF_WAIT_MILLISECONDS = 1
_PAUSE_FACTOR = 9
"""How many times as long as the last brief wait took there is none: they cost the pipeline a tenth of its time at most."""

_REASONS = {
    errno.ENOENT: "there is no such socket; Wazuh is not running, or wazuh.unix_socket_path names another place",
    errno.ENOTDIR: "there is no such socket; Wazuh is not running, or wazuh.unix_socket_path names another place",
    errno.ECONNREFUSED: "nobody listens there; start Wazuh's manager (analysisd)",
    errno.ENOTCONN: "nobody listens there any more; Wazuh was stopped",
    errno.EACCES: "permission denied; put the daemon's user into the group of the socket (wazuh)",
    errno.EPROTOTYPE: "it is no datagram and no stream socket; set wazuh.unix_socket_path to Wazuh's queue socket",
    errno.EMSGSIZE: "a message is larger than this system allows; lower wazuh.max_event_size",
}
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})


@dataclass(frozen=True, slots=True)
class QueueSocket:
    """Implements `WazuhSocket`. `address` is a path, or host and port of a TCP listener."""

    address: Path | tuple[str, int]
    connect_timeout_seconds: float = 30.0
    write_timeout_seconds: float = 10.0

    async def connect(self) -> WazuhConnection:
        """Connect; at a path a stream is tried where there is no datagram socket."""
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
        """Give a message the time that it may take."""
        timeout = self.write_timeout_seconds
        with self.translated(f"Wazuh reads nothing, its buffer was full for {timeout:g} s"), anyio.fail_after(timeout):
            yield

    @contextmanager
    def translated(self, timeout_text: str = "") -> Iterator[None]:
        """Turn what the operating system and anyio raise into the one clear line for the operator."""
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
    """Implements `WazuhConnection`: a message is a datagram, taken whole or not at all, or is ended by `end` in a stream.

    The socket is used directly: anyio's own would give up the turn of the event loop for each message.
    """

    def __init__(self, to: QueueSocket, connected: socket.socket, *, end: bytes = b"") -> None:
        self._to = to
        self._socket = connected
        self._end = end
        self._room = select.poll()
        self._room.register(connected, select.POLLOUT)
        self._may_wait_at = 0.0

    async def send(self, message: bytes) -> None:
        """Send; a full receive buffer is waited for. After a timeout a stream may have taken a part, and is of no use any more.

        Many systems keep ten datagrams. A reader that is not slow makes room in less time than the event loop takes for a turn while
        the pipeline works, so that is waited for first, without a turn.
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
        """Send what there is room for; returns the rest."""
        try:
            return data[self._socket.send(data) :]
        except BlockingIOError:
            return data

    async def aclose(self) -> None:
        """Close it."""
        self._socket.close()


class TcpConnection:
    """Implements `WazuhConnection`: a line feed ends each message, which its JSON can't contain."""

    def __init__(self, to: QueueSocket, stream: ByteStream) -> None:
        self._to = to
        self._stream = stream

    async def send(self, message: bytes) -> None:
        """Send; after a timeout a part may have gone out, so the connection is of no use any more."""
        with self._to.writing():
            await self._stream.send(message + b"\n")

    async def aclose(self) -> None:
        """Close it; what is still on its way is not waited for."""
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
