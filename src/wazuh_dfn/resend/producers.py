"""Producers for resending: one that limits the rate at the broker, and one that sends nothing."""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from wazuh_dfn.kafka.record_producer import ProducerFactory, RecordProducer, Told

TYPICAL_RECORD_BYTES = 2_048


class PacedProducers:
    """Implements `ProducerFactory` around another one and limits its rate.

    After each batch, the next one waits as long as the first may take at that rate.

    Args:
        producers: the factory that does the work.
        per_second: maximum number of records per second.
    """

    def __init__(self, producers: ProducerFactory, per_second: float) -> None:
        self._producers = producers
        self._per_second = per_second
        self._inner: RecordProducer | None = None

    async def connect(self, told: Told) -> RecordProducer:
        """See `ProducerFactory`."""
        self._inner = await self._producers.connect(told)
        return _Paced(self._inner, self._per_second)

    async def close(self, producer: RecordProducer) -> None:
        """See `ProducerFactory`."""
        del producer
        if self._inner is not None:
            await self._producers.close(self._inner)


class _Paced:
    def __init__(self, producer: RecordProducer, per_second: float) -> None:
        self._producer = producer
        self._per_second = per_second
        self._may_go_on_at = anyio.current_time()

    async def deliver(self, values: Sequence[bytes]) -> None:
        await anyio.sleep_until(self._may_go_on_at)
        self._may_go_on_at = anyio.current_time() + len(values) / self._per_second
        await self._producer.deliver(values)


class DryRun:
    """Implements `ProducerFactory` and `RecordProducer`, and sends nothing."""

    async def connect(self, told: Told) -> RecordProducer:
        """See `ProducerFactory`."""
        del told
        return self

    async def close(self, producer: RecordProducer) -> None:
        """See `ProducerFactory`."""

    async def deliver(self, values: Sequence[bytes]) -> None:
        """See `RecordProducer`."""


def batch_bytes(per_second: float, most: int) -> int:
    """Return the batch size in bytes that holds about one second of records, from 1,024 to `most`."""
    return max(1_024, min(most, round(per_second * TYPICAL_RECORD_BYTES)))
