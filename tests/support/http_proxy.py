"""An HTTP proxy that connects (CONNECT): every name leads to the one `upstream`, so that only who goes through it arrives."""

from __future__ import annotations

import socket

from support.tls_proxy import TlsProxy


class HttpProxy(TlsProxy):
    """`asked` are the lines of the requests. `answer` is the status line; another one than of success hangs up after it."""

    def __init__(self, upstream: str) -> None:
        super().__init__(None, upstream, "127.0.0.1")
        self.asked: list[str] = []
        self.answer = b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n"

    def _serve(self, client: socket.socket) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            received = client.recv(1)
            if not received:
                client.close()
                return
            request += received
        self.asked.append(request.split(b"\r\n", 1)[0].decode())
        client.sendall(self.answer)
        if b" 200 " not in self.answer:
            client.close()
            return
        super()._serve(client)
