"""One AIOKafkaProducer that is connected and knows its topic, and why it does not work if it does not.

aiokafka logs to the loggers `aiokafka.*` by itself, repeatedly while a broker is away; what matters of it is said by the exceptions
raised here, so that the application may well keep those loggers at ERROR or silent.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
import zlib
from collections.abc import Iterable, Sequence
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import anyio
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import BrokerResponseError, KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from wazuh_dfn.adapters.broker_probe import explain
from wazuh_dfn.adapters.kafka_compression import use_fast_gzip
from wazuh_dfn.adapters.kafka_ending import ProducerEnding, retrieve
from wazuh_dfn.adapters.kafka_errors import ABOUT_RIGHTS, SET_IDEMPOTENCE, in_words, known_reason, topic_reason
from wazuh_dfn.adapters.kafka_leash import Leash
from wazuh_dfn.adapters.kafka_options import PROTECTED_ARGUMENTS, KafkaOptions
from wazuh_dfn.adapters.tls_context import make_tls_context, own_certificates
from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.delivery.ports import Told
from wazuh_dfn.errors import BrokerUnavailableError

TOPIC_PATIENCE = 10.0
"""So long a topic may be missing after connecting: brokers that create topics on first use take a moment."""

ID_LENGTH = 32
SOURCE = f"{socket.gethostname()} wazuh-dfn/{version('wazuh-dfn')}".encode()
_UNLIMITED = 2**31 - 1
_LOG_APPEND_TIME = 1


class KafkaConnection:
    """One connected producer, bound to one partition of the topic. Made by `open_connection`."""

    def __init__(self, options: KafkaOptions, tls: ssl.SSLContext | None, told: Told) -> None:
        self._options = options
        self._tls = tls
        self._told = told
        self._partition = -1
        self.appended_at: float | None = None
        # A request that is asked again has its number: only without numbers it is better to wait as long as possible.
        timeout_ms = max(1, round(options.timeout_seconds * (500 if options.idempotence else 1000)))
        use_fast_gzip()
        self._producer = AIOKafkaProducer(
            **{name: value for name, value in options.extra.items() if name not in PROTECTED_ARGUMENTS},
            **({"security_protocol": "SSL", "ssl_context": tls} if tls is not None else {}),
            bootstrap_servers=options.addresses,
            client_id=options.client_id,
            acks="all",
            enable_idempotence=options.idempotence,
            compression_type=options.compression,
            max_request_size=options.max_request_size,
            max_batch_size=_UNLIMITED,  # `send` decides what goes into a batch
            request_timeout_ms=timeout_ms,
        )
        self._ending = ProducerEnding(self._producer)
        self._leash = Leash(
            self._producer.client,
            addresses=options.addresses,
            tls=self._renewed_tls,
            needed=self._needed,
            explain=self._explain,
            told=told,
            longest_pause_seconds=options.longest_pause_seconds,
        )
        self._in_flight: set[asyncio.Future[Any]] = set()

    async def start(self) -> None:
        """Connect and choose the partition: always the same one of a topic, so that the order of the records is kept."""
        await self._producer.start()
        with anyio.fail_after(min(TOPIC_PATIENCE, self._options.timeout_seconds / 2)):
            partitions = sorted(await self._producer.partitions_for(self._options.topic))
        self._partition = choose_partition(self._options.topic, partitions)

    async def send(self, batches: Iterable[list[bytes]]) -> None:
        """Send each list as one record batch, in this order, and wait for all acknowledgements."""
        timestamp, with_headers = int(time.time() * 1000), self._options.record_headers
        self._in_flight = set()
        for values in batches:
            batch = self._producer.create_batch()
            for value in values:
                batch.append(timestamp=timestamp, key=None, value=value, headers=record_headers(value) if with_headers else [])
            batch.close()
            future = await self._producer.send_batch(batch, self._options.topic, partition=self._partition)
            future.add_done_callback(retrieve)
            self._in_flight.add(future)
        await self.wait()

    @property
    def is_sending(self) -> bool:
        """Whether aiokafka goes on trying by itself to get what was sent acknowledged, without a repetition."""
        return self._options.idempotence and any(not future.done() for future in self._in_flight)

    async def wait(self) -> None:
        """Wait for the acknowledgement of what was sent."""
        done, _ = await asyncio.wait(self._in_flight, return_when=asyncio.FIRST_EXCEPTION)
        for future in done:
            acknowledged = future.result()
            self.appended_at = acknowledged.timestamp / 1000 if acknowledged.timestamp_type == _LOG_APPEND_TIME else None

    def _needed(self) -> list[int]:
        """Return the id of the partition's leader, or those of all known brokers if there is none now."""
        cluster = self._producer.client.cluster
        leader = cluster.leader_for_partition(TopicPartition(self._options.topic, self._partition))
        return [leader] if cluster.broker_metadata(leader) is not None else [broker.nodeId for broker in cluster.brokers()]

    def leader(self) -> list[str]:
        """Return the address of the partition's leader, or of all known brokers if there is none now."""
        brokers = map(self._producer.client.cluster.broker_metadata, self._needed())
        return [str(BrokerAddress(broker.host, broker.port)) for broker in brokers if broker is not None]

    async def diagnose(self, error: BaseException, within: float, waited: float) -> BrokerUnavailableError:
        """Say in one line why it did not work after `waited` seconds, if need be by looking at the broker, for at most `within` seconds."""
        if self._leash.reason is not None:
            return self._leash.reason
        known = await self._topic_reason(within) if isinstance(error, ABOUT_RIGHTS) else None
        known = known or known_reason(error, self._options)
        if known is not None:
            return known
        addresses = self.leader() or self._options.addresses
        found = await self._address_reason(addresses, within * 0.7) or await self._topic_reason(within * 0.3)
        return found or self._delivery_reason(error, ", ".join(addresses), waited)

    async def close(self) -> None:
        """See `ProducerEnding`."""
        try:
            await self._leash.aclose()
        finally:
            await self._ending.close()

    async def _renewed_tls(self) -> ssl.SSLContext | None:
        self._tls = await _tls_context(self._options)
        if self._options.tls is not None:
            for certificate in await anyio.to_thread.run_sync(own_certificates, self._options.tls):
                self._told(certificate)
        return self._tls

    async def _explain(self, addresses: list[str]) -> BrokerUnavailableError:
        try:
            found = await self._address_reason(addresses, split_time(self._options.timeout_seconds)[1])
        except BrokerUnavailableError as error:
            return error
        return found or BrokerUnavailableError(f"{', '.join(addresses)} can't be reached")

    async def _address_reason(self, addresses: list[str], within: float) -> BrokerUnavailableError | None:
        trusted = "the configured CA (dfn.dfn_ca)"
        if self._options.tls is not None and self._options.tls.ca is None:
            trusted = "a CA that this system trusts (dfn.dfn_ca is not set)"
        problem = await explain(addresses, self._tls, within, trusted=trusted)
        if problem is None:
            return None
        advertised = not set(addresses) & set(self._options.addresses)
        prefix = "the broker sends us to its advertised address: " if advertised else ""
        return BrokerUnavailableError(prefix + problem.reason, needs_operator=problem.needs_operator)

    async def _topic_reason(self, within: float) -> BrokerUnavailableError | None:
        with anyio.move_on_after(within):
            return topic_reason(await self._topic_error(), self._options.topic)
        return None

    async def _topic_error(self) -> int:
        """Ask for the topic by itself: aiokafka's own bookkeeping does not tell a missing topic from a slow broker."""
        client = self._producer.client
        node = client.get_random_node()
        if node is None:
            return 0
        try:
            response = await client.send(node, MetadataRequest([self._options.topic]))
            return int(next((topic[0] for topic in response.topics), 0))
        except (KafkaError, OSError, AssertionError, TimeoutError):
            return 0

    def _delivery_reason(self, error: BaseException, where: str, waited: float) -> BrokerUnavailableError:
        """Return what is left to say if neither the addresses nor the topic are to blame."""
        timed_out = isinstance(error, TimeoutError)
        manager = self._producer._txn_manager  # noqa: SLF001 - nothing else tells whether a producer id is missing
        if manager is not None and not manager.has_pid() and (timed_out or isinstance(error, BrokerResponseError)):
            what = f"within {waited:.3g} s" if timed_out else f"but this: {in_words(error)}"
            text = f"{where} gives no producer id {what}; if it does not support idempotent producers, {SET_IDEMPOTENCE}"
            return BrokerUnavailableError(text, needs_operator=True)
        if not timed_out:
            return BrokerUnavailableError(f"not delivered to {where}: {in_words(error)}")
        return BrokerUnavailableError(f"no acknowledgement from {where} within {waited:.3g} s")


async def open_connection(options: KafkaOptions, told: Told) -> KafkaConnection:
    """Connect, within `options.timeout_seconds`, diagnosis included; see `Leash` for `told`.

    Raises:
        BrokerUnavailableError: with the reason in one line.
    """
    tls = await _tls_context(options)
    connection = KafkaConnection(options, tls, told)
    allowed, for_diagnosis = split_time(options.timeout_seconds)
    try:
        with anyio.fail_after(allowed):
            await connection.start()
    except (KafkaError, OSError, AssertionError) as error:
        try:
            reason = await connection.diagnose(error, for_diagnosis, allowed)
        finally:
            await connection.close()
        raise reason from error
    except BaseException:
        await connection.close()
        raise
    return connection


async def _tls_context(options: KafkaOptions) -> ssl.SSLContext | None:
    if options.tls is None:
        return None
    try:
        with anyio.fail_after(options.timeout_seconds):  # the files may be on a file system that hangs
            return await anyio.to_thread.run_sync(make_tls_context, options.tls, abandon_on_cancel=True)
    except TimeoutError as error:
        raise BrokerUnavailableError("the TLS files can't be read: the file system does not answer", needs_operator=True) from error


def record_headers(value: bytes) -> list[tuple[str, bytes]]:
    """Return the headers of a record: a value that is sent again has the same `id`, so that a receiver can drop it."""
    return [("id", sha256(value).hexdigest()[:ID_LENGTH].encode()), ("source", SOURCE)]


def choose_partition(topic: str, partitions: Sequence[int]) -> int:
    """Return the one that all records of the topic go to, of the sorted numbers of its partitions."""
    return partitions[zlib.crc32(topic.encode()) % len(partitions)]


def split_time(timeout: float) -> tuple[float, float]:
    """Return how much of a deadline the work may take, and what is kept for telling why it failed."""
    for_diagnosis = min(5.0, timeout / 3)
    return timeout - for_diagnosis, for_diagnosis
