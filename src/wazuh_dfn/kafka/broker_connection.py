"""One AIOKafkaProducer that is connected and knows its topic, and why it does not work if it does not.

aiokafka logs to the loggers `aiokafka.*` by itself, repeatedly while a broker is away; what matters of it is said by the exceptions
raised here, so that the application may well keep those loggers at ERROR or silent.
"""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
import time
import zlib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import anyio
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import BrokerResponseError, KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.kafka.batch_compression import use_fast_gzip
from wazuh_dfn.kafka.client_errors import ABOUT_RIGHTS, SET_IDEMPOTENCE, in_words, known_reason, topic_reason
from wazuh_dfn.kafka.faults import BrokerUnavailableError
from wazuh_dfn.kafka.ladder import explain
from wazuh_dfn.kafka.leash import Leash
from wazuh_dfn.kafka.producer_ending import ProducerEnding, retrieve
from wazuh_dfn.kafka.producer_options import PROTECTED_ARGUMENTS, KafkaOptions
from wazuh_dfn.kafka.record_producer import Told
from wazuh_dfn.kafka.tls_context import make_tls_context, own_certificates

TOPIC_PATIENCE = 10.0
"""So long a topic may be missing after connecting: brokers that create topics on first use take a moment."""

EXPLAIN_SECONDS = 2.5
"""The longest look at a broker that is out of reach: it has been tried for as long already."""
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
        self._unacknowledged: deque[list[bytes]] = deque()
        self._sending: asyncio.Future[Any] | None = None
        """The first of those, once it is on its way."""
        if options.idempotence:  # it would be given up without a leader, although it may have been written
            self._producer._message_accumulator._batch_ttl = math.inf  # noqa: SLF001

    async def start(self) -> None:
        """Connect and choose the partition: always the same one of a topic, so that the order of the records is kept."""
        await self._producer.start()
        with anyio.fail_after(min(TOPIC_PATIENCE, self._options.timeout_seconds / 2)):
            partitions = sorted(await self._producer.partitions_for(self._options.topic))
        self._partition = choose_partition(self._options.topic, partitions)

    async def send(self, batches: Iterable[list[bytes]]) -> None:
        """Send each list as one record batch, in this order, and wait for all acknowledgements."""
        self._unacknowledged, self._sending = deque(batches), None
        await self.wait()

    @property
    def is_sending(self) -> bool:
        """Whether `wait` goes on where it was, without a repetition."""
        return self._options.idempotence and bool(self._unacknowledged)

    def renew(self, options: KafkaOptions) -> None:
        """Dial with these certificates from now on."""
        self._options = replace(self._options, tls=options.tls)
        self._leash.dial_at_once()

    async def wait(self) -> None:
        """Send what is not sent yet, one batch after the other, and wait for the acknowledgement of all.

        Cancelled, it can be called again and goes on where it was: aiokafka keeps what it was given.
        """
        while self._unacknowledged:
            if self._sending is None:
                self._sending = asyncio.ensure_future(self._send(self._unacknowledged[0]))
                self._sending.add_done_callback(retrieve)
            await asyncio.wait({self._sending})
            acknowledged = self._sending.result()
            self._sending = None
            self._unacknowledged.popleft()
            self.appended_at = acknowledged.timestamp / 1000 if acknowledged.timestamp_type == _LOG_APPEND_TIME else None

    async def _send(self, values: list[bytes]) -> Any:
        batch, timestamp, with_headers = self._producer.create_batch(), int(time.time() * 1000), self._options.record_headers
        for value in values:
            batch.append(timestamp=timestamp, key=None, value=value, headers=record_headers(value) if with_headers else [])
        batch.close()
        future = await self._producer.send_batch(batch, self._options.topic, partition=self._partition)
        future.add_done_callback(retrieve)
        return await future

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
        if self._leash.reason is not None and isinstance(error, TimeoutError):
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
        if self._sending is not None:
            self._sending.cancel()
        try:
            await self._leash.aclose()
        finally:
            await self._ending.close()

    async def _renewed_tls(self) -> ssl.SSLContext | None:
        try:
            self._tls = await _tls_context(self._options)
        except BrokerUnavailableError:
            if self._tls is None or self._leash.reason is not None:
                raise
            return self._tls  # files are being replaced: those of before may do
        if self._options.tls is not None:
            for certificate in await anyio.to_thread.run_sync(own_certificates, self._options.tls):
                self._told(certificate)
        return self._tls

    async def _explain(self, errors: Mapping[str, BaseException]) -> BrokerUnavailableError:
        for error in errors.values():
            if isinstance(error, BrokerUnavailableError):
                return error
        found = await self._address_reason(list(errors), min(EXPLAIN_SECONDS, split_time(self._options.timeout_seconds)[1]))
        reasons = "; ".join(f"{address}: {in_words(error)}" for address, error in errors.items())
        return found or BrokerUnavailableError(f"the broker can't be reached: {reasons}")

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
