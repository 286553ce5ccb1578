"""Find out why a broker can't be used: aiokafka says no more than "unable to bootstrap", so each step is tried here by itself.

Name lookup, TCP connect, TLS handshake, and one request (ApiVersions) that every Kafka broker answers; the first step that fails
gives the reason, in words that tell the operator what to do.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

import anyio

DEFAULT_KAFKA_PORT = 9092
ALERT_WAIT = 0.5
"""So long a broker may take, after the handshake, to tell that it refuses our certificate (in TLS 1.3 the handshake is over by then)."""

_CORRELATION = b"\x00\x00\x00\x01"
_API_VERSIONS = b"\x00\x12\x00\x00" + _CORRELATION + b"\x00\x09wazuh-dfn"
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, which the ssl module has no name for
_TLS_ALERT = b"\x15"

# OpenSSL's X509_V_ERR_ codes.
_NOT_YET_VALID = 9
_EXPIRED = 10
_UNTRUSTED = frozenset({2, 18, 19, 20, 21})
_OTHER_NAME = frozenset({62, 64})

_REFUSALS = {
    "CERTIFICATE_REQUIRED": "the broker refused our client certificate: it demands one and none is configured (dfn.dfn_cert)",
    "CERTIFICATE_EXPIRED": "the broker refused our client certificate (dfn.dfn_cert): it has expired",
    "CERTIFICATE_REVOKED": "the broker refused our client certificate (dfn.dfn_cert): it was revoked",
    "UNKNOWN_CA": "the broker refused our client certificate (dfn.dfn_cert): the broker does not trust the CA that signed it",
    "BAD_CERTIFICATE": "the broker refused our client certificate (dfn.dfn_cert) as bad",
    "UNSUPPORTED_CERTIFICATE": "the broker refused our client certificate (dfn.dfn_cert): it is not one for TLS clients",
    "CERTIFICATE_UNKNOWN": "the broker refused our client certificate (dfn.dfn_cert)",
    "ACCESS_DENIED": "the broker refused our client certificate (dfn.dfn_cert): access denied",
    "DECRYPT_ERROR": "the broker refused our client certificate (dfn.dfn_cert): its signature does not fit",
    "HANDSHAKE_FAILURE": "the broker refused the handshake: it demands another client certificate (dfn.dfn_cert) or another cipher",
    "UNRECOGNIZED_NAME": "the broker does not go by this host name",
    "PROTOCOL_VERSION": "the broker does not speak TLS 1.2 or newer",
    "UNSUPPORTED_PROTOCOL": "the broker does not speak TLS 1.2 or newer",
    "WRONG_VERSION_NUMBER": "this port does not speak TLS",
    "RECORD_LAYER_FAILURE": "this port does not speak TLS",
    "HTTP_REQUEST": "this port does not speak TLS",
}


Step = Literal["name", "tcp", "tls", "kafka"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Why an address can't be used, whether waiting alone won't mend it, and which step failed (all before it went well)."""

    reason: str
    needs_operator: bool
    failed: Step = "name"


async def explain(
    addresses: Sequence[str],
    tls: ssl.SSLContext | None,
    timeout: float,  # noqa: ASYNC109  (each step wants to tell what it waited for)
    *,
    trusted: str = "the configured CA (dfn.dfn_ca)",
) -> Finding | None:
    """Try all addresses (`host:port`) at once and tell in one line what is wrong; None if at least one of them answers as Kafka does."""
    findings: dict[str, Finding | None] = {}

    async def probe(address: str) -> None:
        findings[address] = await _Probe(address, tls, timeout, trusted).run()

    async with anyio.create_task_group() as tasks:
        for address in addresses:
            tasks.start_soon(probe, address)
    found = [finding for finding in (findings[address] for address in dict.fromkeys(addresses)) if finding is not None]
    if len(found) < len(findings) or not found:
        return None
    reasons = dict.fromkeys(finding.reason for finding in found)
    return Finding("; ".join(reasons), all(finding.needs_operator for finding in found), found[0].failed)


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
        self.where = f"{self.host}:{self.port}" if ":" not in self.host else f"[{self.host}]:{self.port}"
        self.tls = tls
        self.within = within
        self.trusted = trusted
        self.trying: Step = "name"
        self.waits_for = ""

    async def run(self) -> Finding | None:
        try:
            with anyio.fail_after(self.within):
                finding = await self._steps()
        except TimeoutError:
            finding = Finding(f"{self.waits_for} within {self.within:.3g} s", needs_operator=False)
        return replace(finding, failed=self.trying) if finding is not None else None

    async def _steps(self) -> Finding | None:
        finding = await self._try_name()
        if finding is not None:
            return finding
        self.trying, self.waits_for = "tcp", f"{self.where} did not answer a connection attempt"
        try:
            async with self._opened(None) as (reader, writer):
                if self.tls is None:
                    return await self._ask(reader, writer)
        except ConnectionRefusedError:
            return Finding(f"connection refused by {self.where}", needs_operator=False)
        except OSError as error:
            return Finding(f"cannot connect to {self.where}: {error.strerror or error}", needs_operator=False)
        return await self._try_tls(self.tls)

    async def _try_name(self) -> Finding | None:
        self.waits_for = f"the name {self.host} was not resolved"
        try:
            await asyncio.get_running_loop().getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            again = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
            text = "can't be resolved now: the name server does not answer" if again else "does not resolve: no such name"
            return Finding(f"the broker's name {self.host} {text}", needs_operator=not again)
        return None

    async def _try_tls(self, tls: ssl.SSLContext) -> Finding | None:
        self.trying, self.waits_for = "tls", f"TLS to {self.where} failed (does this port speak TLS?): no answer to the handshake"
        try:
            async with self._opened(tls) as (reader, writer):
                return await self._use_tls(reader, writer)
        except ssl.SSLCertVerificationError as error:
            return self._tls(await self._distrust(error))
        except ssl.SSLError as error:
            return self._tls(_refusal(error))
        except OSError:
            return self._tls("the broker closed the connection during the handshake (does this port speak TLS?)")

    @asynccontextmanager
    async def _opened(self, tls: ssl.SSLContext | None) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        name = self.host if tls is not None else None
        reader, writer = await asyncio.open_connection(self.host, self.port, ssl=tls, server_hostname=name)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def _use_tls(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Finding | None:
        """Wait for a refusal first: one that crosses a request of ours can get lost with the connection."""
        try:
            with anyio.move_on_after(ALERT_WAIT):
                await reader.read(1)
                return self._tls("the broker closed the connection after the handshake: it may refuse our client certificate")
        except ssl.SSLError:
            raise
        except OSError:
            return self._tls("the broker cut the connection after the handshake: it may refuse our client certificate")
        return await self._ask(reader, writer)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Finding | None:
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
            return Finding(text, needs_operator=True)
        if not answer:
            hint = " (does this port want TLS?)" if self.tls is None else ""
            return Finding(f"{self.where} closed the connection instead of answering a Kafka request{hint}", needs_operator=False)
        if answer[4:] != _CORRELATION:
            return Finding(f"{self.where} does not speak the Kafka protocol", needs_operator=True)
        return None

    def _tls(self, why: str) -> Finding:
        self.trying = "tls"  # a refusal can come as late as in answer to the request
        return Finding(f"TLS to {self.where} failed: {why}", needs_operator=True)

    async def _distrust(self, error: ssl.SSLCertVerificationError) -> str:
        """Put into words why the broker's certificate was refused, with details of the certificate where they can be had."""
        shown = await self._peer_certificate()
        if error.verify_code == _EXPIRED:
            return f"the broker's certificate expired{_when(shown, 'notAfter')}"
        if error.verify_code == _NOT_YET_VALID:
            return f"the broker's certificate is not valid yet{_when(shown, 'notBefore', 'but from')}; is this machine's clock right?"
        if error.verify_code in _OTHER_NAME:
            names = [value for _, value in shown.get("subjectAltName", ())]
            rest = f", only for {', '.join(names)}" if names else ""
            return f"the broker's certificate is not valid for host name {self.host}{rest}"
        if error.verify_code in _UNTRUSTED:
            names = [value for part in shown.get("issuer", ()) for _, value in part]
            rest = f"; its issuer is {', '.join(names)}" if names else ""
            return f"the broker's certificate is not signed by {self.trusted}{rest}"
        return f"the broker's certificate is not trusted: {error.verify_message}"

    async def _peer_certificate(self) -> dict[str, Any]:
        """Return the certificate as the ssl module describes it; that does so only for one that it trusts, so this very one is trusted."""
        blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        blind.check_hostname = False
        blind.verify_mode = ssl.CERT_NONE  # nothing is sent: this only looks at the certificate
        try:
            raw = await self._shown(blind, binary=True)
            if not raw:
                return {}
            seeing = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            seeing.check_hostname = False
            seeing.load_verify_locations(cadata=raw)
            seeing.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VerifyFlags(_NO_CHECK_TIME)
            return await self._shown(seeing, binary=False) or {}
        except (OSError, ValueError):
            return {}

    async def _shown(self, context: ssl.SSLContext, *, binary: bool) -> Any:
        async with self._opened(context) as (_, writer):
            return writer.get_extra_info("ssl_object").getpeercert(binary)


def _refusal(error: ssl.SSLError) -> str:
    reason = error.reason or ""
    for mark, text in _REFUSALS.items():
        if reason.endswith(mark):
            return text
    return reason.replace("_", " ").lower() or str(error)


def _when(shown: dict[str, Any], name: str, word: str = "on") -> str:
    if name not in shown:
        return ""
    return f" {word} {datetime.fromtimestamp(ssl.cert_time_to_seconds(shown[name]), UTC):%Y-%m-%d %H:%M} UTC"
