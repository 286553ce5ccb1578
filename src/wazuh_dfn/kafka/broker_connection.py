"""One connected AIOKafkaProducer bound to a topic, and the diagnosis of its failures.

aiokafka logs to the `aiokafka.*` loggers, repeatedly while a broker is away. The exceptions raised here carry the relevant information, so
the application can set those loggers to ERROR or disable them.
"""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import anyio
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import BrokerResponseError, KafkaError

from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.kafka.batch_compression import use_fast_gzip
from wazuh_dfn.kafka.certificate_expiry import CertificateSeen
from wazuh_dfn.kafka.client_errors import WORTH_ASKING, in_words, known_fault, no_leader
from wazuh_dfn.kafka.dialling import DIAL_ERRORS, DIAL_SECONDS, dial
from wazuh_dfn.kafka.faults import BrokerUnavailableError, Fault, FaultCode
from wazuh_dfn.kafka.inquiry import ask, choose_partition, fault_of
from wazuh_dfn.kafka.ladder import explain
from wazuh_dfn.kafka.leash import Leash, OnClose
from wazuh_dfn.kafka.producer_ending import ProducerEnding, retrieve
from wazuh_dfn.kafka.producer_options import PROTECTED_ARGUMENTS, KafkaOptions
from wazuh_dfn.kafka.record_producer import Told
from wazuh_dfn.kafka.tls_context import TlsContexts, make_tls_contexts

TOPIC_PATIENCE = 10.0
"""Maximum time in seconds that a topic may be missing after connecting. Brokers that create topics on first use need a moment."""

EXPLAIN_SECONDS = 2.5
"""Maximum time in seconds to diagnose an unreachable broker. It has been tried for about as long already."""
ID_LENGTH = 32
SOURCE = f"{socket.gethostname()} wazuh-dfn/{version('wazuh-dfn')}".encode()
_UNLIMITED = 2**31 - 1
_LOG_APPEND_TIME = 1
_NOBODY = -1


class KafkaConnection:
    """One connected producer, bound to one partition of the topic. Created by `open_connection`."""

    def __init__(self, options: KafkaOptions, tls: TlsContexts | None, told: Told) -> None:
        self._options = options
        self._tls = tls
        self._told = told
        self._partition = -1
        self.appended_at: float | None = None
        # An idempotent producer can repeat a request safely, because of its sequence numbers: half the timeout leaves time for a second
        # attempt. Without them a repetition may duplicate records, so it waits as long as possible.
        timeout_ms = max(1, round(options.timeout_seconds * (500 if options.idempotence else 1000)))
        use_fast_gzip()
        self._producer = AIOKafkaProducer(
            **{name: value for name, value in options.extra.items() if name not in PROTECTED_ARGUMENTS},
            security_protocol=options.security_protocol,
            ssl_context=tls.verifying if tls is not None else None,
            **options.login_arguments,
            bootstrap_servers=[*map(str, options.brokers)],
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
            addresses=options.brokers,
            dial=self._dial,
            needed=self._needed,
            leaderless=self._leaderless,
            explain=self._explain,
            told=told,
            longest_pause_seconds=options.longest_pause_seconds,
        )
        self._throttled_until = 0.0
        self._unacknowledged: deque[list[bytes]] = deque()
        self._sending: asyncio.Future[Any] | None = None
        """Delivery of the first unacknowledged batch. None if it is not being sent."""
        if options.idempotence:  # without a leader, aiokafka would drop a batch that may have been written
            self._producer._message_accumulator._batch_ttl = math.inf  # noqa: SLF001

    async def start(self) -> None:
        """Connect and choose the partition.

        It is always the same partition of a topic, so that the order of the records is kept.
        """
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
        """Whether `wait` can resume without duplicating records."""
        return self._options.idempotence and bool(self._unacknowledged)

    def renew(self, options: KafkaOptions) -> None:
        """Use the certificates of these options for new connections, and dial without delay."""
        self._options = replace(self._options, tls=options.tls)
        self._leash.dial_at_once()

    async def wait(self) -> None:
        """Send the batches that are not acknowledged yet, one after the other, and wait for all acknowledgements.

        After a cancellation it can be called again and resumes, because aiokafka keeps the batches it was given.
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
        await asyncio.sleep(self._throttled_seconds)
        future = await self._producer.send_batch(batch, self._options.topic, partition=self._partition)
        future.add_done_callback(retrieve)
        return await future

    @property
    def _throttled_seconds(self) -> float:
        """Seconds until the broker's quota allows to send again.

        On an existing connection the broker reads nothing before that.
        """
        return max(0.0, self._throttled_until - asyncio.get_running_loop().time())

    async def _heed_throttling(self, send: Callable[..., Awaitable[Any]], request: Any, **options: Any) -> Any:
        """Send a request and remember the throttle time in the response.

        aiokafka would reconnect while it is throttled, and so evade the quota.
        """
        response = await send(request, **options)
        throttled_ms = getattr(response, "throttle_time_ms", 0)
        self._throttled_until = max(self._throttled_until, asyncio.get_running_loop().time() + throttled_ms / 1000)
        return response

    def _needed(self) -> list[int]:
        """Return the id of the partition's leader, or the ids of all known brokers if there is no leader."""
        cluster = self._producer.client.cluster
        leader = cluster.leader_for_partition(TopicPartition(self._options.topic, self._partition))
        return [leader] if cluster.broker_metadata(leader) is not None else [broker.nodeId for broker in cluster.brokers()]

    def _leaderless(self) -> Fault | None:
        """Return a fault if our partition has no leader according to the latest metadata.

        Nothing can be delivered then, even if all brokers are reachable.
        """
        leader = self._producer.client.cluster.leader_for_partition(TopicPartition(self._options.topic, self._partition))
        return no_leader(self._options.topic, self._partition) if leader == _NOBODY else None

    def _leader(self) -> list[BrokerAddress]:
        """Return the address of the partition's leader, or the addresses of all known brokers if there is no leader."""
        brokers = map(self._producer.client.cluster.broker_metadata, self._needed())
        return [BrokerAddress(broker.host, broker.port) for broker in brokers if broker is not None]

    async def diagnose(self, error: BaseException, within: float, waited: float) -> Fault:
        """Return why delivery failed after `waited` seconds.

        If the error does not show the cause, probe the broker. This takes at most `within` seconds.
        """
        if self._leash.fault is not None and isinstance(error, TimeoutError):
            return self._leash.fault
        if self._throttled_seconds:
            return Fault(FaultCode.THROTTLED, f"the broker's quota lets us send again in {self._throttled_seconds:.0f} s")
        known = await self._inquire(within) if isinstance(error, WORTH_ASKING) else None
        known = known or known_fault(error, self._options)
        if known is not None:
            return known
        addresses = self._leader() or list(self._options.brokers)
        found = await self._climb(addresses, within * 0.7) or await self._inquire(within * 0.3)
        return found or self._not_delivered(error, ", ".join(map(str, addresses)), waited)

    async def close(self) -> None:
        """Close the connection. See `ProducerEnding`."""
        if self._sending is not None:
            self._sending.cancel()
        try:
            await self._leash.aclose()
        finally:
            await self._ending.close()

    async def _dial(self, where: BrokerAddress, on_close: OnClose | None) -> AIOKafkaConnection:
        options, client = self._options, self._producer.client
        await self._renew_tls()
        tls = self._tls.verifying if self._tls is not None else None
        limit = client._request_timeout_ms / 1000  # noqa: SLF001 - the limit that aiokafka gives its own connections
        connection = await dial(where, options, tls, on_close=on_close, within=min(DIAL_SECONDS, limit))
        connection._request_timeout = limit  # noqa: SLF001
        connection.send = partial(self._heed_throttling, connection.send)
        shown = connection._writer.get_extra_info("peercert")  # noqa: SLF001
        if shown:
            self._told(CertificateSeen("broker", ssl.cert_time_to_seconds(shown["notAfter"])))
        return connection

    async def _renew_tls(self) -> None:
        try:
            self._tls = await _read_tls(self._options)
        except BrokerUnavailableError:
            if self._tls is None or self._leash.fault is not None:
                raise
            return  # the files are being replaced: keep the previous contexts
        for certificate in self._tls.certificates if self._tls is not None else ():
            self._told(certificate)

    async def _explain(self, errors: Mapping[BrokerAddress, BaseException]) -> Fault:
        for error in errors.values():
            if isinstance(error, BrokerUnavailableError):
                return error.fault
            if (known := known_fault(error, self._options)) is not None:
                return known
        found = await self._climb(list(errors), min(EXPLAIN_SECONDS, split_time(self._options.timeout_seconds)[1]))
        reasons = "; ".join(f"{address}: {in_words(error)}" for address, error in errors.items())
        return found or Fault(FaultCode.NO_CONNECTION, f"the broker can't be reached: {reasons}", next(iter(errors)))

    async def _climb(self, addresses: Sequence[BrokerAddress], within: float) -> Fault | None:
        fault = await explain(addresses, self._tls, within, self._options.proxy)
        if fault is None or set(addresses) & set(self._options.brokers):
            return fault
        return replace(fault, text=f"the broker sends us to its advertised address: {fault.text}")

    async def _inquire(self, within: float) -> Fault | None:
        """Query the topic and our rights on the broker.

        aiokafka's own metadata does not distinguish a missing topic from a slow broker.
        """
        with anyio.move_on_after(within), suppress(*DIAL_ERRORS):
            connection = await self._leash.connection()
            if connection is not None:
                return fault_of(await ask(connection, self._options, with_producer_id=False), self._options)
        return None

    def _not_delivered(self, error: BaseException, where: str, waited: float) -> Fault:
        """Return the fault that remains if neither the network path nor the topic is the cause."""
        timed_out = isinstance(error, TimeoutError)
        manager = self._producer._txn_manager  # noqa: SLF001 - nothing else shows whether a producer id is missing
        if manager is not None and not manager.has_pid() and (timed_out or isinstance(error, BrokerResponseError)):
            what = f"within {waited:.3g} s" if timed_out else f"but this: {in_words(error)}"
            return Fault(FaultCode.NO_PRODUCER_ID, f"{where} gives no producer id {what}")
        if not timed_out:
            return Fault(FaultCode.NOT_DELIVERED, f"not delivered to {where}: {in_words(error)}")
        return Fault(FaultCode.NOT_ACKNOWLEDGED, f"no acknowledgement from {where} within {waited:.3g} s")


async def open_connection(options: KafkaOptions, told: Told) -> KafkaConnection:
    """Connect within `options.timeout_seconds`, diagnosis included. `told` is described in `Leash`.

    Raises:
        BrokerUnavailableError: Connecting failed. The error carries the reason in one line.
    """
    connection = KafkaConnection(options, await _read_tls(options), told)
    allowed, for_diagnosis = split_time(options.timeout_seconds)
    try:
        with anyio.fail_after(allowed):
            await connection.start()
    except (KafkaError, OSError, AssertionError) as error:
        try:
            fault = await connection.diagnose(error, for_diagnosis, allowed)
        finally:
            await connection.close()
        raise BrokerUnavailableError(fault) from error
    except BaseException:
        await connection.close()
        raise
    return connection


async def _read_tls(options: KafkaOptions) -> TlsContexts | None:
    if options.tls is None:
        return None
    try:
        with anyio.fail_after(options.timeout_seconds):  # the file system may hang
            return await anyio.to_thread.run_sync(make_tls_contexts, options.tls, abandon_on_cancel=True)
    except TimeoutError as error:
        fault = Fault(FaultCode.TLS_FILES, "the TLS files can't be read: the file system does not answer")
        raise BrokerUnavailableError(fault) from error


def record_headers(value: bytes) -> list[tuple[str, bytes]]:
    """Return the headers of a record.

    The `id` depends on the value alone, so a receiver can drop a record that was sent twice.
    """
    return [("id", sha256(value).hexdigest()[:ID_LENGTH].encode()), ("source", SOURCE)]


def split_time(timeout: float) -> tuple[float, float]:
    """Split a deadline into the seconds for the work and those for the diagnosis of a failure."""
    for_diagnosis = min(5.0, timeout / 3)
    return timeout - for_diagnosis, for_diagnosis
