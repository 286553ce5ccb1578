"""Closes an AIOKafkaProducer in any state. Its own `stop()` waits for records that cannot be sent, and aiokafka has no alternative."""

# This requires aiokafka's private attributes.
# ruff: noqa: SLF001

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import anyio
from aiokafka import AIOKafkaProducer

CLOSE_WITHIN = 3.0
"""Maximum duration of `ProducerEnding.close` in seconds."""


class ProducerEnding:
    """Closes one producer. Create it together with the producer, before that connects."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._dropped: set[asyncio.Transport] = set()
        self._on_closed = producer.client._on_connection_closed
        producer.client._on_connection_closed = self._remember_transport

    async def close(self) -> None:
        """Close within `CLOSE_WITHIN` seconds, cancelled or not. Unacknowledged records are dropped."""
        with anyio.move_on_after(CLOSE_WITHIN, shield=True):
            await self._stop_sender()
            await self._close_sockets()
        with anyio.move_on_after(0.1, shield=True):
            await asyncio.sleep(0)  # transports report their end in the next iteration of the loop
        for waiting in self._producer._message_accumulator._batches.values():
            for batch in waiting:
                retrieve(batch._drain_waiter)

    async def _stop_sender(self) -> None:
        self._producer._closed = True  # avoids the warning on garbage collection
        task = self._producer._sender.sender_task
        if task is None:
            return
        # The first cancellation makes it wait for its requests, the next one cancels them.
        with anyio.move_on_after(CLOSE_WITHIN / 3):
            while not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=0.02)

    async def _close_sockets(self) -> None:
        client = self._producer.client
        transports = [connection._writer.transport for connection in client._conns.values() if connection._writer is not None]
        closing = asyncio.ensure_future(client.close())  # a separate task, because `close` would swallow a cancellation of ours
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
        """Keep a reference to connections that aiokafka has dropped, to abort them later.

        With an unresponsive peer, a closing transport with unsent bytes never ends by itself.
        """
        transport = getattr(connection._protocol, "_transport", None)
        self._dropped = {each for each in self._dropped if _holds_socket(each)}
        if transport is not None:
            self._dropped.add(transport)
        self._on_closed(connection, reason)


def _holds_socket(transport: asyncio.Transport) -> bool:
    try:
        socket = transport.get_extra_info("socket")
    except AttributeError:  # a closed TLS transport has no underlying transport any more
        return False
    return socket is not None and socket.fileno() >= 0


def retrieve(future: asyncio.Future[Any]) -> None:
    """Retrieve the future's exception, so that asyncio does not log that it "was never retrieved"."""
    with contextlib.suppress(asyncio.CancelledError, asyncio.InvalidStateError):
        future.exception()
