"""Read a whole topic back, to see what arrived: all of it, once each, in order."""

from __future__ import annotations

import asyncio
import ssl
import time

from aiokafka import AIOKafkaConsumer, TopicPartition

from support.brokers import run_async


async def _read(
    bootstrap: str, topic: str, expect: int, timeout: float, settle: float, ssl_context: ssl.SSLContext | None
) -> list[tuple[int, int, bytes]]:
    end = time.monotonic() + timeout
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        security_protocol="SSL" if ssl_context else "PLAINTEXT",
        ssl_context=ssl_context,
        fetch_max_wait_ms=100,
        request_timeout_ms=max(1000, int(timeout * 1000)),
    )
    found: list[tuple[int, int, bytes]] = []
    await consumer.start()
    try:
        partitions: set[int] = set()
        while not partitions and time.monotonic() < end:
            cluster = await consumer._client.fetch_all_metadata()
            partitions = set(cluster.partitions_for_topic(topic) or ())
            if not partitions:
                await asyncio.sleep(0.05)
        consumer.assign([TopicPartition(topic, number) for number in sorted(partitions)])
        for assigned in consumer.assignment():
            consumer.seek(assigned, 0)
        last = time.monotonic()
        while time.monotonic() < end:
            batches = await consumer.getmany(timeout_ms=100)
            for partition, records in batches.items():
                found += [(partition.partition, record.offset, record.value) for record in records]
                last = time.monotonic()
            if len(found) >= expect and time.monotonic() - last > settle:
                break
    finally:
        await consumer.stop()
    return sorted(found, key=lambda record: record[:2])


def read_all(
    bootstrap: str,
    topic: str,
    *,
    expect: int,
    timeout: float,
    settle: float = 0.4,
    ssl_context: ssl.SSLContext | None = None,
) -> list[tuple[int, int, bytes]]:
    """Return (partition, offset, value) of every record, by partition and offset.

    It returns once `expect` records are there and nothing more came for `settle` seconds (that shows duplicates), or what there is
    after `timeout`. Synchronous; works inside a running event loop as well, which stands still meanwhile.
    """
    return run_async(_read(bootstrap, topic, expect, timeout, settle, ssl_context))
