"""Getting rid of an AIOKafkaProducer in whatever state it is: its own `stop()` waits for what can't be sent, and there is no other way out."""

# That takes aiokafka's private attributes.
# ruff: noqa: SLF001

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import anyio
from aiokafka import AIOKafkaProducer

CLOSE_WITHIN = 3.0
"""Seconds that it may take in all."""


class ProducerEnding:
    """To be made with the producer, before it connects."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._dropped: set[asyncio.Transport] = set()
        self._on_closed = producer.client._on_connection_closed
        producer.client._on_connection_closed = self._remember_transport

    async def close(self) -> None:
        """Close within `CLOSE_WITHIN` seconds, cancelled or not; what is not acknowledged by now is given up."""
        with anyio.move_on_after(CLOSE_WITHIN, shield=True):
            await self._stop_sender()
            await self._close_sockets()
        with anyio.move_on_after(0.1, shield=True):
            await asyncio.sleep(0)  # transports report their end in the loop's next round
        for waiting in self._producer._message_accumulator._batches.values():
            for batch in waiting:
                retrieve(batch._drain_waiter)

    async def _stop_sender(self) -> None:
        self._producer._closed = True  # or it complains when it is garbage-collected
        task = self._producer._sender.sender_task
        if task is None:
            return
        # Cancelled once it waits for its requests; cancelled again it cancels them.
        with anyio.move_on_after(CLOSE_WITHIN / 3):
            while not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=0.02)

    async def _close_sockets(self) -> None:
        client = self._producer.client
        transports = [connection._writer.transport for connection in client._conns.values() if connection._writer is not None]
        closing = asyncio.ensure_future(client.close())  # a task of its own: it would swallow a cancellation of ours
        try:
            await asyncio.wait({closing}, timeout=CLOSE_WITHIN / 6)
        finally:
            for transport in (*transports, *self._dropped):
                transport.abort()
            self._dropped.clear()
        await asyncio.wait({closing}, timeout=CLOSE_WITHIN / 6)
        closing.cancel()
        await asyncio.wait({closing}, timeout=CLOSE_WITHIN / 6)
        if closing.done():
            retrieve(closing)

    def _remember_transport(self, connection: Any, reason: Any) -> None:
        """Keep what aiokafka has dropped within reach: a frozen peer lets a closing transport with unsent bytes live for ever."""
        transport = getattr(connection._protocol, "_transport", None)
        self._dropped = {each for each in self._dropped if _holds_socket(each)}
        if transport is not None:
            self._dropped.add(transport)
        self._on_closed(connection, reason)


def _holds_socket(transport: asyncio.Transport) -> bool:
    try:
        socket = transport.get_extra_info("socket")
    except AttributeError:  # a TLS transport that is closed has forgotten what it consisted of
        return False
    return socket is not None and socket.fileno() >= 0


def retrieve(future: asyncio.Future[Any]) -> None:
    """Look at its exception, so that nobody logs that it "was never retrieved"."""
    with contextlib.suppress(asyncio.CancelledError, asyncio.InvalidStateError):
        future.exception()
