"""One connection of a client, spoken by anycorn; none can last for ever, and they can't be many.

Anycorn's own `serve` is not used: it takes any number of connections, and sends in scopes that can't be cancelled, so a client that does
not read would hold up the stop of the daemon.
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
"""So many of them may be of clients that are not on the allow-list, which are only told that: they must not crowd out the others."""
CONNECTION_SECONDS = 300.0
"""So long a connection may last, whatever happens on it."""
HANDSHAKE_SECONDS = 5.0
IDLE_SECONDS = 5.0
"""So long a client may take to send a request's headers, and to think of its next request."""
SEND_SECONDS = 5.0
"""So long it may take to read what it is sent."""
MOST_HEADER_BYTES = 16 * 1024
log = structlog.get_logger(__name__)


class Connections:
    """Serves an application on the connections that it is given, with TLS if there is a context for it; `tls` may be replaced meanwhile."""

    def __init__(self, app: ASGIApp, networks: Networks, tls: ssl.SSLContext | None) -> None:
        self._app = ASGIWrapper(cast("ASGIFramework", app))  # anycorn's spelling of the same protocol
        self._networks = networks
        self.tls = tls
        self._config = _anycorn_config()
        self._open: dict[SocketStream, bool] = {}
        """Each with whether it is a stranger's."""

    async def handle(self, stream: SocketStream) -> None:
        """Answer until the client is done or its time is up."""
        try:
            is_strange = not is_allowed(client_address(_host(stream)), self._networks)
            if len(self._open) < MOST_CONNECTIONS and not (is_strange and sum(self._open.values()) >= MOST_OF_STRANGERS):
                self._open[stream] = is_strange
                with anyio.move_on_after(CONNECTION_SECONDS):
                    await self._speak(stream)
        except Exception as error:  # what one client makes go wrong must not end the others' connections
            log.debug("connection to the health API failed", exc_info=error)
        finally:
            self._open.pop(stream, None)
            await anyio.aclose_forcefully(stream)

    async def abort(self) -> None:
        """Close all; what is being sent ends with that."""
        for stream in tuple(self._open):
            await anyio.aclose_forcefully(stream)

    async def _speak(self, stream: SocketStream) -> None:
        context = WorkerContext(None)
        patient: Any = _PatientStream(stream if self.tls is None else await self._shake_hands(stream, self.tls), context.terminated.set)
        await _Http1Server(self._app, self._config, context, {}, patient).run()

    @staticmethod
    async def _shake_hands(stream: SocketStream, tls: ssl.SSLContext) -> TLSStream:
        with anyio.fail_after(HANDSHAKE_SECONDS):
            # standard_compatible would wait at the end for what the client may never send
            return await TLSStream.wrap(stream, server_side=True, ssl_context=tls, standard_compatible=False)


class _Http1Protocol(H11Protocol):
    async def _check_protocol(self, event: object) -> None:
        """Ignore a wish for HTTP/2, as RFC 9110 (7.8) allows: the limits here are for one request at a time."""


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
    """Does not wait for ever for a client that does not read, and tells when one is gone: anycorn would wait for its next request."""

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
