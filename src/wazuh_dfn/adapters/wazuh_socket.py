"""Wazuh's queue socket: datagrams, or a stream where something else listens at the path. Every call has a deadline."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio.abc import ByteStream, ConnectedUNIXDatagramSocket, UNIXSocketStream

from wazuh_dfn.delivery.ports import WazuhConnection
from wazuh_dfn.errors import WazuhUnavailableError

_FULL_BACKLOG_SECONDS = 0.1
"""How often a stream's listener that accepts nobody is tried: its socket always looks writable, so waiting for that would spin."""

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
                return StreamConnection(self, await anyio.connect_tcp(*self.address))
            try:
                return DatagramConnection(self, await _connect_datagram(self.address))
            except OSError as error:
                if error.errno != errno.EPROTOTYPE:
                    raise
            return StreamConnection(self, await _connect_stream(self.address))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Give a message the time that it may take."""
        timeout = self.write_timeout_seconds
        with self.translated(f"Wazuh reads nothing, its buffer was full for {timeout:g} s"), anyio.fail_after(timeout):
            yield

    @contextmanager
    def translated(self, timeout_text: str) -> Iterator[None]:
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


class DatagramConnection:
    """Implements `WazuhConnection`: a message is a datagram, taken whole or not at all."""

    def __init__(self, to: QueueSocket, connected: ConnectedUNIXDatagramSocket) -> None:
        self._to = to
        self._socket = connected

    async def send(self, message: bytes) -> None:
        """Send; a full receive buffer is waited for."""
        with self._to.writing():
            await self._socket.send(message)

    async def aclose(self) -> None:
        """Close it."""
        await self._socket.aclose()


class StreamConnection:
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


async def _connect_datagram(path: Path) -> ConnectedUNIXDatagramSocket:
    return await ConnectedUNIXDatagramSocket.from_socket(await _connected(path, socket.SOCK_DGRAM))


async def _connect_stream(path: Path) -> UNIXSocketStream:
    return await UNIXSocketStream.from_socket(await _connected(path, socket.SOCK_STREAM))


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
