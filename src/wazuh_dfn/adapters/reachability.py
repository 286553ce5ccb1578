"""Whether something answers at an address: names, Wazuh's queue socket, and what a TLS port presents."""

from __future__ import annotations

import errno
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio.streams.tls import TLSAttribute

from wazuh_dfn.kafka.producer_options import TlsFiles
from wazuh_dfn.kafka.tls_context import make_tls_context

_CONNECT_SECONDS = 2.0


def resolve(host: str, port: int) -> list[str]:
    """Return the IP addresses of a name. It blocks.

    Raises:
        OSError: there are none, or the name server does not answer.
    """
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


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


@dataclass(frozen=True, slots=True)
class Presented:
    """What a server showed in the handshake: its certificate (DER) and the version of TLS."""

    certificate: bytes
    version: str


def unverifying_context(files: TlsFiles) -> ssl.SSLContext:
    """Return a context that takes any certificate of the server, so that it can be looked at. It blocks on the disk.

    Raises:
        BrokerUnavailableError: a file can't be read or used.
    """
    context = make_tls_context(files)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def presented(host: str, port: int, context: ssl.SSLContext) -> Presented | None:
    """Return what the server shows, trusted or not; None where there is no handshake. Nothing is sent to it."""
    try:
        stream = await anyio.connect_tcp(host, port, tls_hostname=host, ssl_context=context, tls_standard_compatible=False)
    except (OSError, anyio.BrokenResourceError, anyio.EndOfStream):
        return None
    try:
        shown = stream.extra_attributes
        return Presented(shown[TLSAttribute.peer_certificate_binary]() or b"", shown[TLSAttribute.tls_version]())
    finally:
        await anyio.aclose_forcefully(stream)
