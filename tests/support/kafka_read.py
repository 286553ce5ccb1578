"""Read a whole topic back, to see what arrived: all of it, once each, in order."""

from __future__ import annotations

import asyncio
import ssl
import time

from aiokafka import AIOKafkaConsumer, TopicPartition

from support.brokers import run_async

GIVE_UP_SECONDS = 60


async def _read(bootstrap: str, topic: str, expect: int, ssl_context: ssl.SSLContext | None) -> list[tuple[int, int, bytes, float]]:
    end = time.monotonic() + GIVE_UP_SECONDS
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        security_protocol="SSL" if ssl_context else "PLAINTEXT",
        ssl_context=ssl_context,
        fetch_max_wait_ms=100,
        request_timeout_ms=1000 * GIVE_UP_SECONDS,
    )
    found: list[tuple[int, int, bytes, float]] = []
    await consumer.start()
    try:
        partitions: set[int] = set()
        while not partitions and time.monotonic() < end:
            cluster = await consumer._client.fetch_all_metadata()
            partitions = set(cluster.partitions_for_topic(topic) or ())
            if not partitions:
                await asyncio.sleep(0.05)
        assert partitions, f"there is no topic {topic}"
        consumer.assign([TopicPartition(topic, number) for number in sorted(partitions)])
        for assigned in consumer.assignment():
            consumer.seek(assigned, 0)
        ends: dict[TopicPartition, int] = {}
        while time.monotonic() < end:
            if len(found) >= expect and not ends:
                ends = await consumer.end_offsets(consumer.assignment())
            if ends and all([await consumer.position(partition) >= there for partition, there in ends.items()]):
                break
            batches = await consumer.getmany(timeout_ms=100)
            found += [
                (partition.partition, record.offset, record.value, record.timestamp / 1_000)
                for partition, records in batches.items()
                for record in records
            ]
    finally:
        await consumer.stop()
    return sorted(found, key=lambda record: record[:2])


def read_all_with_times(
    bootstrap: str,
    topic: str,
    *,
    expect: int,
    ssl_context: ssl.SSLContext | None = None,
) -> list[tuple[int, int, bytes, float]]:
    """Return (partition, offset, value, when it was sent in seconds since the epoch) of every record; else like `read_all`."""
    return run_async(_read(bootstrap, topic, expect, ssl_context))


def read_all(
    bootstrap: str,
    topic: str,
    *,
    expect: int,
    ssl_context: ssl.SSLContext | None = None,
) -> list[tuple[int, int, bytes]]:
    """Return (partition, offset, value) of every record, by partition and offset.

    Once `expect` records are there it reads on to the end of the topic as of then (that shows duplicates); after a minute it
    returns what there is. Synchronous; works inside a running event loop as well, which stands still meanwhile.
    """
    return [record[:3] for record in read_all_with_times(bootstrap, topic, expect=expect, ssl_context=ssl_context)]
