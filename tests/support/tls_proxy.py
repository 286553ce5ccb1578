"""A TLS-terminating proxy in front of a plaintext broker, and the place for refusals, cuts and delays."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from typing import Self

from support.brokers import free_port


class TlsProxy:
    """Listens on 127.0.0.1, decrypts, and passes on to `upstream` (HOST:PORT, can be set later: the port is known at once).

    Threads with plain sockets, as those send TLS alerts as a real broker does (asyncio's servers close without).
    `context` None gives a plaintext proxy with the same switches:

    refuse(): close the listening port; accept(): open it again. cut(): end all connections now. serve(context): another certificate
    for what connects from now on. closing: end each new connection at once. delay: seconds that each piece takes in either direction. stalled: pass nothing on.
    rewrite(former, latter): put other bytes into the broker's answers. hide(address): for a broker that advertises its own address, so that clients go on through here, not around.
    """

    def __init__(self, context: ssl.SSLContext | None, upstream: str = "", host: str = "localhost") -> None:
        self.context = context
        self.upstream = upstream
        self.host = host
        self.delay = 0.0
        self.stalled = False
        self.closing = False
        self.connections = 0
        self.failed_handshakes = 0
        self.port = 0
        self._rewritten: tuple[bytes, bytes] | None = None
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def __enter__(self) -> Self:
        self.accept()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self.cut()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def accept(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port or free_port()))
        self.port = self._listener.getsockname()[1]
        self._spawn(self._listen, self._listener)

    def refuse(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept()
            listener.close()

    def cut(self) -> None:
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(each, socket.SHUT_RDWR)  # below TLS: no goodbye

    def serve(self, context: ssl.SSLContext | None) -> None:
        self.context = context

    def rewrite(self, former: bytes, latter: bytes) -> None:
        self._rewritten = (former, latter)

    def hide(self, address: str) -> None:
        """Put our port for that of `address` (127.0.0.1:PORT) into the broker's answers; in Kafka's format it follows the host's name."""
        host, port = address.rsplit(":", 1)
        self.rewrite(host.encode() + int(port).to_bytes(4, "big"), host.encode() + self.port.to_bytes(4, "big"))

    def _spawn(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        thread.start()

    def _listen(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self._spawn(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.suppress(OSError))
            self.connections += 1
            self._keep(stack, client)
            if self.closing:
                return
            if self.context is not None:
                client.settimeout(60)
                try:
                    client = self.context.wrap_socket(client, server_side=True)
                except OSError:
                    self.failed_handshakes += 1
                    raise
                self._keep(stack, client)
            host, port = self.upstream.rsplit(":", 1)
            upstream = socket.create_connection((host, int(port)), timeout=60)
            self._keep(stack, upstream)
            while self._pass_on(client, upstream):
                pass

    def _keep(self, stack: contextlib.ExitStack, each: socket.socket) -> None:
        def forget() -> None:
            with self._lock:
                self._open.discard(each)
            each.close()

        with self._lock:
            self._open.add(each)
        stack.callback(forget)

    def _pass_on(self, client: socket.socket, upstream: socket.socket) -> bool:
        waiting = isinstance(client, ssl.SSLSocket) and client.pending()
        ready = [client] if waiting else select.select([client, upstream], [], [], 1)[0]
        while self.stalled and {client, upstream} <= self._open:
            time.sleep(0.02)
        for source in ready:
            source.settimeout(0)
            try:
                piece = source.recv(65536)
            except (ssl.SSLWantReadError, BlockingIOError):
                continue
            finally:
                source.settimeout(None)
            if not piece:
                return False
            time.sleep(self.delay)
            if self._rewritten is not None and source is upstream:
                piece = piece.replace(*self._rewritten)
            (upstream if source is client else client).sendall(piece)
        return True
