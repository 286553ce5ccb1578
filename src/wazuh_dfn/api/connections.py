"""One client connection, served by anycorn, with limits on the duration and number of connections.

Anycorn's own `serve` is not used. It accepts any number of connections, and sends in scopes that cannot be cancelled, so a client that does
not read would delay the daemon's stop.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import anyio
import structlog
from anycorn import Config
from anycorn.app_wrappers import ASGIWrapper
from anycorn.protocol.h11 import H11Protocol
from anycorn.tcp_server import TCPServer
from anycorn.typing import ASGIFramework
from anycorn.worker_context import WorkerContext
from anyio.abc import ByteStream, SocketAttribute, SocketStream
from anyio.streams.tls import TLSStream
from starlette.types import ASGIApp

from wazuh_dfn.api.clients import Networks, client_address, is_allowed

MOST_CONNECTIONS = 64
MOST_OF_STRANGERS = 8
"""Maximum connections of clients outside the allow-list.

They only get a refusal, and must not crowd out the allowed clients.
"""
CONNECTION_SECONDS = 300.0
"""Maximum duration of a connection in seconds, regardless of activity."""
HANDSHAKE_SECONDS = 5.0
IDLE_SECONDS = 5.0
"""Maximum time in seconds for a client to send a request's headers, and between two requests."""
SEND_SECONDS = 5.0
"""Maximum time in seconds for a client to accept the data that is sent."""
MOST_HEADER_BYTES = 16 * 1024
log = structlog.get_logger(__name__)


class Connections:
    """Serves an application on the accepted connections, with TLS if `tls` is set. `tls` may be replaced at any time."""

    def __init__(self, app: ASGIApp, networks: Networks, tls: ssl.SSLContext | None) -> None:
        self._app = ASGIWrapper(cast("ASGIFramework", app))  # anycorn's declaration of the same protocol
        self._networks = networks
        self.tls = tls
        self._config = _anycorn_config()
        self._open: dict[SocketStream, bool] = {}
        """Open connections. The value shows whether the client is outside the allow-list."""

    async def handle(self, stream: SocketStream) -> None:
        """Serve the connection until the client is done or `CONNECTION_SECONDS` have passed."""
        try:
            is_strange = not is_allowed(client_address(_host(stream)), self._networks)
            if len(self._open) < MOST_CONNECTIONS and not (is_strange and sum(self._open.values()) >= MOST_OF_STRANGERS):
                self._open[stream] = is_strange
                with anyio.move_on_after(CONNECTION_SECONDS):
                    await self._speak(stream)
        except Exception as error:  # a failure with one client must not end the other connections
            log.debug("connection to the health API failed", exc_info=error)
        finally:
            self._open.pop(stream, None)
            await anyio.aclose_forcefully(stream)

    async def abort(self) -> None:
        """Close all connections at once, without finishing responses."""
        for stream in tuple(self._open):
            await anyio.aclose_forcefully(stream)

    async def _speak(self, stream: SocketStream) -> None:
        context = WorkerContext(None)
        patient: Any = _PatientStream(stream if self.tls is None else await self._shake_hands(stream, self.tls), context.terminated.set)
        await _Http1Server(self._app, self._config, context, {}, patient).run()

    @staticmethod
    async def _shake_hands(stream: SocketStream, tls: ssl.SSLContext) -> TLSStream:
        with anyio.fail_after(HANDSHAKE_SECONDS):
            # standard_compatible would wait for a close message that the client may never send
            return await TLSStream.wrap(stream, server_side=True, ssl_context=tls, standard_compatible=False)


class _Http1Protocol(H11Protocol):
    async def _check_protocol(self, event: object) -> None:
        """Ignore a request to upgrade to HTTP/2, as RFC 9110 (7.8) allows. The limits here are for one request at a time."""


class _Http1Server(TCPServer):
    async def _read_data(self) -> None:
        http1 = self.protocol.protocol
        self.protocol.protocol = _Http1Protocol(
            http1.app,
            http1.config,
            http1.context,
            http1.task_group,
            http1.connection_state,
            http1.client,
            http1.server,
            http1.send,
            http1.tls,
        )
        await super()._read_data()


class _PatientStream(ByteStream):
    """Limits the time to send to a client, and reports a disconnect, because anycorn would wait for the next request."""

    def __init__(self, stream: ByteStream, on_end: Callable[[], Awaitable[None]]) -> None:
        self._stream = stream
        self._on_end = on_end

    async def send(self, item: bytes) -> None:
        with anyio.fail_after(SEND_SECONDS):
            await self._stream.send(item)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        try:
            return await self._stream.receive(max_bytes)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self._on_end()
            raise

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return self._stream.extra_attributes


def _anycorn_config() -> Config:
    config = Config()
    config.errorlog = logging.getLogger("anycorn")
    config.errorlog.setLevel(logging.WARNING)
    config.include_server_header = False
    config.alpn_protocols = ["http/1.1"]
    config.h11_max_incomplete_size = MOST_HEADER_BYTES
    config.keep_alive_timeout = IDLE_SECONDS
    return config


def _host(stream: SocketStream) -> str:
    return str(stream.extra(SocketAttribute.remote_address)[0])  # noqa: S610 - this is not Django's
