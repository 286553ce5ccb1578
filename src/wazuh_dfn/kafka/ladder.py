"""Find out why a broker can't be used: aiokafka says no more than "unable to bootstrap", so each step is tried here by itself.

Name lookup, TCP connect, TLS handshake, and one request (ApiVersions) that every Kafka broker answers; the first step that fails
gives the reason, in words that tell the operator what to do.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import anyio

from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.kafka.tls_errors import TlsCode, TlsFault, distrust, refusal

if TYPE_CHECKING:
    from cryptography import x509

DEFAULT_KAFKA_PORT = 9092
HAPPY_EYEBALLS_SECONDS = 0.25
"""So long the first IP address of a name may take before the next one is tried as well (RFC 8305)."""
ALERT_WAIT = 0.5
"""So long a broker may take, after the handshake, to tell that it refuses our certificate (in TLS 1.3 the handshake is over by then)."""

_CORRELATION = b"\x00\x00\x00\x01"
_API_VERSIONS = b"\x00\x12\x00\x00" + _CORRELATION + b"\x00\x09wazuh-dfn"
_TLS_ALERT = b"\x15"
_DER = 2  # _ssl.ENCODING_DER


Step = Literal["name", "tcp", "tls", "kafka"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an address can't be used, whether waiting alone won't mend it, and which step failed (all before it went well).

    `tls` is the kind of a fault of TLS. `is_other_protocol` tells that the port speaks TLS, or may, and we don't.
    """

    reason: str
    needs_operator: bool
    failed: Step = "name"
    tls: TlsCode | None = None
    is_other_protocol: bool = False


async def explain(
    addresses: Sequence[str],
    tls: ssl.SSLContext | None,
    timeout: float,  # noqa: ASYNC109  (each step wants to tell what it waited for)
    *,
    trusted: str = "the configured CA (dfn.dfn_ca)",
) -> Problem | None:
    """Try all addresses (`host:port`) at once and tell in one line what is wrong; None if at least one of them answers as Kafka does."""
    problems: dict[str, Problem | None] = {}

    async def probe(address: str) -> None:
        problems[address] = await _Probe(address, tls, timeout, trusted).run()

    async with anyio.create_task_group() as tasks:
        for address in addresses:
            tasks.start_soon(probe, address)
    found = [problem for problem in (problems[address] for address in dict.fromkeys(addresses)) if problem is not None]
    if len(found) < len(problems) or not found:
        return None
    reasons = dict.fromkeys(problem.reason for problem in found)
    return replace(found[0], reason="; ".join(reasons), needs_operator=all(problem.needs_operator for problem in found))


def split_address(address: str) -> tuple[str, int]:
    """Split `host:port`, `[ipv6]:port` or a lone host (Kafka's own port then)."""
    if address.startswith("["):
        host, _, rest = address[1:].partition("]")
        port = rest.removeprefix(":")
    elif address.count(":") == 1:
        host, _, port = address.partition(":")
    else:
        host, port = address, ""
    return host, int(port) if port.isdigit() else DEFAULT_KAFKA_PORT


class _Probe:
    def __init__(self, address: str, tls: ssl.SSLContext | None, within: float, trusted: str) -> None:
        self.host, self.port = split_address(address)
        self.where = BrokerAddress(self.host, self.port)
        self.tls = tls
        self.within = within
        self.trusted = trusted
        self.trying: Step = "name"
        self.waits_for = ""
        self._numbers: list[str] = []
        """The IP addresses of the name."""

    @property
    def _by_name_and_number(self) -> str:
        return f"{self.where} ({' and '.join(self._numbers)})" if len(self._numbers) > 1 else str(self.where)

    async def run(self) -> Problem | None:
        try:
            with anyio.fail_after(self.within):
                problem = await self._steps()
        except TimeoutError:
            problem = Problem(f"{self.waits_for} within {self.within:.3g} s", needs_operator=False)
        return replace(problem, failed=self.trying) if problem is not None else None

    async def _steps(self) -> Problem | None:
        problem = await self._try_name()
        if problem is not None:
            return problem
        self.trying, self.waits_for = "tcp", f"{self._by_name_and_number} did not answer a connection attempt"
        try:
            async with self._opened(None) as (reader, writer):
                if self.tls is None:
                    return await self._ask(reader, writer)
        except ConnectionRefusedError:
            return Problem(f"connection refused by {self._by_name_and_number}", needs_operator=False)
        except OSError as error:
            return Problem(f"cannot connect to {self.where}: {error.strerror or error}", needs_operator=False)
        return await self._try_tls(self.tls)

    async def _try_name(self) -> Problem | None:
        self.waits_for = f"the name {self.host} was not resolved"
        try:
            found = await asyncio.get_running_loop().getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            self._numbers = list(dict.fromkeys(str(each[4][0]) for each in found))
        except (socket.gaierror, UnicodeError) as error:
            again = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
            text = "can't be resolved now: the name server does not answer" if again else "does not resolve: no such name"
            return Problem(f"the broker's name {self.host} {text}", needs_operator=not again)
        return None

    async def _try_tls(self, tls: ssl.SSLContext) -> Problem | None:
        self.trying, self.waits_for = "tls", f"TLS to {self.where} failed (does this port speak TLS?): no answer to the handshake"
        try:
            async with self._opened(tls) as (reader, writer):
                return await self._use_tls(reader, writer)
        except ssl.SSLCertVerificationError as error:
            return self._tls(distrust(error, await self._shown_chain(), host=self.host, trusted=self.trusted))
        except ssl.SSLError as error:
            return self._tls(refusal(error))
        except OSError:
            return self._closed("the broker closed the connection during the handshake (does this port speak TLS?)")

    @asynccontextmanager
    async def _opened(self, tls: ssl.SSLContext | None) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        name = self.host if tls is not None else None
        reader, writer = await asyncio.open_connection(
            self.host, self.port, ssl=tls, server_hostname=name, happy_eyeballs_delay=HAPPY_EYEBALLS_SECONDS
        )
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def _use_tls(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Problem | None:
        """Wait for a refusal first: one that crosses a request of ours can get lost with the connection."""
        try:
            with anyio.move_on_after(ALERT_WAIT):
                await reader.read(1)
                return self._closed("the broker closed the connection after the handshake: it may refuse our client certificate")
        except ssl.SSLError:
            raise
        except OSError:
            return self._closed("the broker cut the connection after the handshake: it may refuse our client certificate")
        return await self._ask(reader, writer)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Problem | None:
        """Send one Kafka request: a port that accepts connections need not be a broker, nor one that is awake."""
        self.trying, self.waits_for = "kafka", f"{self.where} accepts connections, but does not answer a Kafka request"
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
        if self.tls is None and answer[:1] == _TLS_ALERT:
            text = f"{self.where} speaks TLS, but the configuration says plaintext (kafka.security_protocol)"
            return Problem(text, needs_operator=True, is_other_protocol=True)
        if not answer:
            hint = " (does this port want TLS?)" if self.tls is None else ""
            return Problem(
                f"{self.where} closed the connection instead of answering a Kafka request{hint}",
                needs_operator=False,
                is_other_protocol=self.tls is None,
            )
        if answer[4:] != _CORRELATION:
            return Problem(f"{self.where} does not speak the Kafka protocol", needs_operator=True)
        return None

    def _closed(self, why: str) -> Problem:
        return self._tls(TlsFault(TlsCode.OTHER, why))

    def _tls(self, fault: TlsFault) -> Problem:
        self.trying = "tls"  # a refusal can come as late as in answer to the request
        return Problem(f"TLS to {self.where} failed: {fault.text}", needs_operator=True, tls=fault.code)

    async def _shown_chain(self) -> list[x509.Certificate]:
        """Return the certificate that the broker shows, and those after it, whether they are trusted or not. Nothing is sent."""
        blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        blind.check_hostname = False
        blind.verify_mode = ssl.CERT_NONE
        try:
            async with self._opened(blind) as (_, writer):
                return shown_chain(writer.get_extra_info("ssl_object"))
        except (OSError, ValueError):
            return []


def shown_chain(tls: ssl.SSLObject) -> list[x509.Certificate]:
    """Return the certificates that the other side of a connection has sent, its own first; raises ValueError if one can't be read."""
    from cryptography import x509  # noqa: PLC0415 - see tls_errors

    if sys.version_info >= (3, 13):
        return [x509.load_der_x509_certificate(each) for each in tls.get_unverified_chain()]
    chain = getattr(tls, "_sslobj").get_unverified_chain()  # noqa: B009 - public since Python 3.13
    return [x509.load_der_x509_certificate(each.public_bytes(_DER)) for each in chain or ()]
