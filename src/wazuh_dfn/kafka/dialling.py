"""Connections to brokers, with the Kafka protocol or as plain streams, direct or through an HTTP proxy.

The IP addresses of a host name, the broker's or the proxy's, are tried in parallel (Happy Eyeballs, RFC 8305).
"""

# aiokafka keeps the transport, the loop and the timeout of a connection private.
# ruff: noqa: SLF001

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaError

from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.kafka.faults import BrokerUnavailableError, Fault, FaultCode
from wazuh_dfn.kafka.producer_options import KafkaOptions

HAPPY_EYEBALLS_SECONDS = 0.25
"""Seconds before the next IP address of a host name is tried in parallel."""
DIAL_SECONDS = 10.0
"""Maximum time in seconds until a broker has answered the first request."""
DIAL_ERRORS = (OSError, KafkaError, AssertionError, BrokerUnavailableError)
"""Exceptions that `dial` raises."""
_LONGEST_ANSWER = 65_536


async def dial(
    where: BrokerAddress,
    options: KafkaOptions,
    tls: ssl.SSLContext | None,
    *,
    on_close: Callable[[Any, Any], None] | None = None,
    within: float = DIAL_SECONDS,
) -> BrokerConnection:
    """Return a connection to a broker that has reported its supported API versions.

    Raises:
        Exception: One of `DIAL_ERRORS`. `ladder.explain` finds the cause.
    """
    connection = BrokerConnection(
        where.host,
        where.port,
        client_id=options.client_id,
        request_timeout_ms=round(within * 1000),
        ssl_context=tls,
        security_protocol=options.security_protocol,
        **options.login_arguments,
        max_idle_ms=options.extra.get("connections_max_idle_ms", 540_000),
        on_close=on_close,
    )
    connection._loop = _Dialler(connection._loop, options.proxy)
    try:
        async with asyncio.timeout(within):
            await connection.connect()
    except BaseException as error:
        hang_up(connection)
        if isinstance(error, ValueError | IndexError) and not isinstance(error, DIAL_ERRORS):
            raise BrokerUnavailableError(_odd(error, where, options)) from error
        raise
    return connection


def _odd(error: ValueError | IndexError, where: BrokerAddress, options: KafkaOptions) -> Fault:
    """Return what errors mean that aiokafka and asyncio raise of names and ports that are none, and in a login by SCRAM."""
    if options.login is not None and not isinstance(error, UnicodeError | IndexError):
        return Fault(FaultCode.LOGIN_REFUSED, f"the broker does not prove that it knows our password: {error}", where)
    return Fault(FaultCode.NO_CONNECTION, f"cannot connect to {where}: {error}", where)


class BrokerConnection(AIOKafkaConnection):  # type: ignore[misc]  # aiokafka has no type annotations
    """A connection whose answers can be looked at."""

    heed: Callable[[Any], None] | None = None
    """Is called with each answer."""

    async def send(self, request: Any, expect_response: bool = True) -> Any:  # noqa: FBT001, FBT002 - aiokafka's signature
        """Send a request and return the answer."""
        response = await super().send(request, expect_response=expect_response)
        if self.heed is not None:
            self.heed(response)
        return response


def hang_up(connection: AIOKafkaConnection) -> None:
    """Close the connection at once.

    An orderly TLS shutdown with an unresponsive peer would keep the connection open for half a minute.
    """
    transport = getattr(connection._protocol, "_transport", None)
    connection.close()
    if transport is not None:
        transport.abort()


async def open_stream(
    where: BrokerAddress, tls: ssl.SSLContext | None, proxy: BrokerAddress | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection without the Kafka protocol, encrypted if `tls` is given.

    Raises:
        OSError: Connecting failed. A TLS failure raises `ssl.SSLError`.
        BrokerUnavailableError: The proxy refused the connection.
    """
    name = where.host if tls is not None else None
    if proxy is None:
        return await asyncio.open_connection(
            where.host, where.port, ssl=tls, server_hostname=name, happy_eyeballs_delay=HAPPY_EYEBALLS_SECONDS
        )
    return await asyncio.open_connection(sock=await _tunnel(proxy, where), ssl=tls, server_hostname=name)


class _Dialler:
    """Event loop wrapper that opens connections as `open_stream` does. aiokafka has no other hook for this."""

    def __init__(self, loop: asyncio.AbstractEventLoop, proxy: BrokerAddress | None) -> None:
        self._loop = loop
        self._proxy = proxy

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    async def create_connection(self, protocol: Callable[[], asyncio.Protocol], host: str, port: int, **options: Any) -> Any:
        if self._proxy is None:
            return await self._loop.create_connection(protocol, host, port, happy_eyeballs_delay=HAPPY_EYEBALLS_SECONDS, **options)
        tunnel = await _tunnel(self._proxy, BrokerAddress(host, port))
        name = host if options.get("ssl") is not None else None
        return await self._loop.create_connection(protocol, sock=tunnel, server_hostname=name, **options)


async def _tunnel(proxy: BrokerAddress, where: BrokerAddress) -> socket.socket:
    """Return a socket that an HTTP proxy has connected to `where` (CONNECT, RFC 9110 section 9.3.6)."""
    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.create_connection(asyncio.Protocol, proxy.host, proxy.port, happy_eyeballs_delay=HAPPY_EYEBALLS_SECONDS)
    except OSError as error:
        fault = Fault(FaultCode.PROXY_UNREACHABLE, f"cannot connect to the proxy {proxy}: {error.strerror or error}", where)
        raise BrokerUnavailableError(fault) from error
    tunnel: socket.socket = transport.get_extra_info("socket").dup()  # a transport does not give its own socket away
    transport.abort()
    try:
        _check_answer(await _ask_for(where, tunnel), proxy, where)
    except BaseException:
        tunnel.close()
        raise
    return tunnel


async def _ask_for(where: BrokerAddress, tunnel: socket.socket) -> bytes:
    loop, answer = asyncio.get_running_loop(), b""
    try:
        await loop.sock_sendall(tunnel, f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n\r\n".encode())
        while not answer.endswith(b"\r\n\r\n") and len(answer) <= _LONGEST_ANSWER:
            # One byte at a time: the bytes after the empty line belong to the broker.
            received = await loop.sock_recv(tunnel, 1)
            if not received:
                break
            answer += received
    except ConnectionError:
        return b""
    return answer


def _check_answer(answer: bytes, proxy: BrokerAddress, where: BrokerAddress) -> None:
    protocol, _, status = answer.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")
    told = "".join(each if each.isprintable() else " " for each in status[:100])
    if not protocol.startswith("HTTP/1.") or not answer.endswith(b"\r\n\r\n"):
        fault = Fault(FaultCode.PROXY_REFUSED, f"{proxy} does not answer like an HTTP proxy (kafka.proxy)", where)
    elif not status.startswith("2"):
        is_passing = status.startswith(("5", "429"))
        code = FaultCode.PROXY_NO_WAY if is_passing else FaultCode.PROXY_REFUSED
        fault = Fault(code, f"the proxy {proxy} does not connect to {where}: {told}", where)
    else:
        return
    raise BrokerUnavailableError(fault)
