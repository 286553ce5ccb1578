"""Probes of the path to a broker: name, TCP, TLS, and one request that every Kafka broker answers.

The first rung that fails gives the reason, where aiokafka only reports "unable to bootstrap". `inquiry` covers the rungs above: topic and
rights.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio

from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.kafka.dialling import open_stream
from wazuh_dfn.kafka.faults import BrokerUnavailableError, Fault, FaultCode, Rung
from wazuh_dfn.kafka.tls_context import TlsContexts
from wazuh_dfn.kafka.tls_errors import distrust, has_expired, refusal, tls_fault
from wazuh_dfn.own_thread import in_own_thread

if TYPE_CHECKING:
    from cryptography import x509

ALERT_WAIT = 0.5
"""Seconds to wait after the handshake for a refusal of our client certificate.

In TLS 1.3 the broker refuses it only after the client has finished the handshake.
"""
_LOOK_SECONDS = 1.0
_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
_CORRELATION = b"\x00\x00\x00\x01"
_API_VERSIONS = b"\x00\x12\x00\x00" + _CORRELATION + b"\x00\x09wazuh-dfn"
_TLS_ALERT = b"\x15"
_DER = 2  # _ssl.ENCODING_DER


@dataclass(frozen=True, slots=True)
class Presented:
    """What a broker presented in the TLS handshake.

    Attributes:
        chain: The broker's certificate, then the intermediate certificates that it sent, in DER.
        version: The TLS version.
    """

    chain: tuple[bytes, ...]
    version: str

    def certificates(self) -> list[x509.Certificate]:
        """Return the chain up to the first certificate that cannot be parsed."""
        from cryptography import x509  # noqa: PLC0415 - see tls_errors

        found: list[x509.Certificate] = []
        with suppress(ValueError):
            found.extend(map(x509.load_der_x509_certificate, self.chain))
        return found


async def explain(
    addresses: Sequence[BrokerAddress], tls: TlsContexts | None, within: float, proxy: BrokerAddress | None = None
) -> Fault | None:
    """Probe all addresses in parallel and return one fault that lists what is wrong.

    Returns None if at least one address answers as a Kafka broker, or if there are no addresses.
    """
    climbs = [Climb(address, tls, within, proxy) for address in dict.fromkeys(addresses)]
    async with anyio.create_task_group() as tasks:
        for climb in climbs:
            tasks.start_soon(climb.go)
    faults = [climb.fault for climb in climbs if climb.fault is not None]
    if len(faults) < len(climbs) or not faults:
        return None
    first = next((fault for fault in faults if not fault.code.needs_operator), faults[0])
    return replace(first, text="; ".join(dict.fromkeys(fault.text for fault in faults)))


class Climb:
    """One probe of one address, at most `within` seconds long.

    With a proxy, the probe goes through it and resolves the proxy's name instead of the broker's.

    Attributes:
        fault: Why the probe failed, or None if a Kafka broker answers.
        rung: The last rung that was tried.
        numbers: The IP addresses that the name resolves to.
        presented: What the broker presented, trusted or not.
    """

    def __init__(self, where: BrokerAddress, tls: TlsContexts | None, within: float, proxy: BrokerAddress | None = None) -> None:
        self._where = where
        self._tls = tls
        self._within = within
        self._proxy = proxy
        self._entry = proxy or where
        self._waits_for = (FaultCode.NAME_NOT_RESOLVED, "")
        self.fault: Fault | None = None
        self.numbers: list[str] = []
        self.presented: Presented | None = None

    @property
    def rung(self) -> Rung:
        """The last rung that was tried."""
        return self.fault.code.rung if self.fault is not None else Rung.KAFKA

    async def go(self) -> None:
        """Run the probe. Failures are stored in `fault`, not raised."""
        try:
            with anyio.fail_after(self._within):
                self.fault = await self._look_up() or await self._connect()
        except TimeoutError:
            code, what = self._waits_for
            self.fault = Fault(code, f"{what} within {self._within:.3g} s", self._where)
        except BrokerUnavailableError as error:
            self.fault = error.fault

    async def _look_up(self) -> Fault | None:
        host, port = self._entry.host, self._entry.port
        whose = "the proxy's name" if self._proxy else "the broker's name"
        unknown, unresolved = (
            (FaultCode.PROXY_UNREACHABLE, FaultCode.PROXY_UNREACHABLE)
            if self._proxy
            else (FaultCode.NAME_UNKNOWN, FaultCode.NAME_NOT_RESOLVED)
        )
        self._waits_for = (unresolved, f"{whose} {host} was not resolved")
        try:
            found = await in_own_thread(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (socket.gaierror, UnicodeError) as error:
            if isinstance(error, UnicodeError) or error.errno in _NO_SUCH_NAME:
                return Fault(unknown, f"{whose} {host} cannot be resolved: unknown host", self._where)
            why = "the name server does not answer" if error.errno == socket.EAI_AGAIN else error.strerror
            return Fault(unresolved, f"{whose} {host} cannot be resolved at the moment: {why}", self._where)
        self.numbers = list(dict.fromkeys(str(each[4][0]) for each in found))
        return None

    async def _connect(self) -> Fault | None:
        entry = self._entry
        named = f"{entry} ({' and '.join(self.numbers)})" if len(self.numbers) > 1 else str(entry)
        if self._proxy:
            self._waits_for = (FaultCode.PROXY_NO_WAY, f"the proxy {named} did not connect to {self._where}")
        else:
            self._waits_for = (FaultCode.NO_CONNECTION, f"{named} did not answer a connection attempt")
        try:
            async with self._opened(None) as (reader, writer):
                if self._tls is None:
                    return await self._request(reader, writer)
        except ConnectionRefusedError:
            return Fault(FaultCode.REFUSED, f"connection refused by {named}", self._where)
        except OSError as error:
            return Fault(FaultCode.NO_CONNECTION, f"cannot connect to {entry}: {error.strerror or error}", self._where)
        return await self._encrypt(self._tls)

    async def _encrypt(self, tls: TlsContexts) -> Fault | None:
        silent = f"TLS to {self._where} failed (does this port speak TLS?): no answer to the handshake"
        self._waits_for = (FaultCode.TLS_SILENT, silent)
        try:
            async with self._opened(tls.verifying) as (reader, writer):
                self.presented = _presented(writer)
                return await self._use_tls(reader, writer, tls)
        except ssl.SSLError as error:
            if self.presented is None:
                await self._look(tls)
            if isinstance(error, ssl.SSLCertVerificationError):
                return distrust(error, self.presented.certificates() if self.presented else (), self._where, tls.trusted)
            return refusal(error, self._where, tls.expires_at)
        except OSError:
            return self._cut("the broker closed the connection during the handshake (does this port speak TLS?)", tls)

    async def _look(self, tls: TlsContexts) -> None:
        """Repeat the handshake without verification, to see what the broker presents."""
        with suppress(OSError, BrokerUnavailableError), anyio.move_on_after(min(_LOOK_SECONDS, self._within / 3)):
            async with self._opened(tls.unverifying) as (_, writer):
                self.presented = _presented(writer)

    @asynccontextmanager
    async def _opened(self, tls: ssl.SSLContext | None) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await open_stream(self._where, tls, self._proxy)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def _use_tls(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: TlsContexts) -> Fault | None:
        """Wait for a refusal before sending. A refusal that crosses a request of ours can get lost with the connection."""
        self._waits_for = (FaultCode.KAFKA_SILENT, f"{self._where} completes the TLS handshake, but does not answer a Kafka request")
        try:
            with anyio.move_on_after(min(ALERT_WAIT, self._within / 4)):
                if await reader.read(1):
                    return Fault(FaultCode.NOT_KAFKA, f"{self._where} does not speak the Kafka protocol", self._where)
                return self._cut("the broker closed the connection after the handshake: it may refuse our client certificate", tls)
        except ssl.SSLError:
            raise
        except OSError:
            return self._cut("the broker reset the connection after the handshake: it may refuse our client certificate", tls)
        return await self._request(reader, writer)

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Fault | None:
        """Send one Kafka request. A port that accepts connections may belong to another service or to an unresponsive broker."""
        where = self._where
        self._waits_for = (FaultCode.KAFKA_SILENT, f"{where} accepts connections, but does not answer a Kafka request")
        answer = b""
        try:
            writer.write(len(_API_VERSIONS).to_bytes(4, "big") + _API_VERSIONS)
            answer = await reader.readexactly(8)
        except ssl.SSLError:
            raise
        except asyncio.IncompleteReadError as error:
            answer = error.partial
        except OSError:
            pass
        if self._tls is None and answer[:1] == _TLS_ALERT:
            return Fault(FaultCode.WANTS_TLS, f"{where} uses TLS, but the configuration sets plaintext (kafka.security_protocol)", where)
        if not answer:
            text = f"{where} closed the connection instead of answering a Kafka request"
            if self._tls is None:
                return Fault(FaultCode.MAY_WANT_TLS, f"{text} (does this port require TLS?)", where)
            return Fault(FaultCode.KAFKA_CLOSED, text, where)
        if answer[4:] != _CORRELATION:
            return Fault(FaultCode.NOT_KAFKA, f"{where} does not speak the Kafka protocol", where)
        return None

    def _cut(self, why: str, tls: TlsContexts) -> Fault:
        if (expired := has_expired(tls.expires_at)) is not None:
            return tls_fault(FaultCode.TLS_OURS_EXPIRED, f"{why}, which {expired}", self._where)
        return tls_fault(FaultCode.TLS_FAILED, why, self._where)


def _presented(writer: asyncio.StreamWriter) -> Presented:
    tls = writer.get_extra_info("ssl_object")
    if sys.version_info >= (3, 13):
        return Presented(tuple(tls.get_unverified_chain()), tls.version())
    chain = getattr(tls, "_sslobj").get_unverified_chain()  # noqa: B009 - public since Python 3.13
    return Presented(tuple(each.public_bytes(_DER) for each in chain or ()), tls.version())
