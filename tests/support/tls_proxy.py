"""A TLS-terminating proxy in front of a plaintext broker, and the place for refusals, cuts and delays."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from typing import Self


class TlsProxy:
    """Listens on 127.0.0.1 (its port is known before `start`), decrypts, and passes on to `upstream` (HOST:PORT).

    It runs in a thread with an event loop of its own. `context` None gives a plaintext proxy with the same switches:

    refuse(): close the listening port; accept(): open it again. cut(): end all connections now, without a goodbye.
    delay: seconds that each piece takes in either direction. serve(context): another certificate for what connects from now on.
    """

    def __init__(self, context: ssl.SSLContext | None, upstream: str = "", host: str = "localhost") -> None:
        self.context = context
        self.upstream = upstream
        self.host = host
        self.delay = 0.0
        self.connections = 0
        self.failed_handshakes = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._transports: set[asyncio.WriteTransport] = set()

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def __enter__(self) -> Self:
        self._loop.set_exception_handler(self._note_failure)
        self._thread.start()
        self.accept()
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine: object) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)  # type: ignore[arg-type]

    def _note_failure(self, _loop: asyncio.AbstractEventLoop, _context: object) -> None:
        """Count a client whose handshake failed: the loop would log it."""
        self.failed_handshakes += 1

    def refuse(self) -> None:
        self._call(self._refuse())

    def accept(self) -> None:
        self._call(self._accept())

    def cut(self) -> None:
        self._call(self._cut())

    def serve(self, context: ssl.SSLContext | None) -> None:
        self.refuse()
        self.context = context
        self.accept()

    async def _accept(self) -> None:
        self._server = await asyncio.start_server(self._handle, "127.0.0.1", self.port, ssl=self.context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await asyncio.sleep(0)

    async def _cut(self) -> None:
        for transport in list(self._transports):
            transport.abort()
        await asyncio.sleep(0.01)

    async def _end(self) -> None:
        await self._refuse()
        await self._cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0.01)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        ours: list[asyncio.StreamWriter] = [writer]
        self._transports.add(writer.transport)
        try:
            host, port = self.upstream.rsplit(":", 1)
            up_reader, up_writer = await asyncio.open_connection(host, int(port))
            ours.append(up_writer)
            self._transports.add(up_writer.transport)
            pumps = {asyncio.create_task(self._pump(reader, up_writer)), asyncio.create_task(self._pump(up_reader, writer))}
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except OSError:
            pass
        finally:
            for each in ours:
                self._transports.discard(each.transport)
                each.transport.abort()
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65536):
                if self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(piece)
                await writer.drain()
