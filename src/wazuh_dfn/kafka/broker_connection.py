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
from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import anyio
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.kafka.batch_compression import use_fast_gzip
from wazuh_dfn.kafka.certificate_expiry import CertificateSeen
from wazuh_dfn.kafka.diagnosis import Diagnosis, split_time
from wazuh_dfn.kafka.dialling import DIAL_SECONDS, BrokerConnection, dial
from wazuh_dfn.kafka.faults import BrokerUnavailableError, Fault, FaultCode
from wazuh_dfn.kafka.inquiry import choose_partition
from wazuh_dfn.kafka.leash import Leash, OnClose
from wazuh_dfn.kafka.partition_view import PartitionView
from wazuh_dfn.kafka.producer_ending import ProducerEnding, retrieve
from wazuh_dfn.kafka.producer_options import PROTECTED_ARGUMENTS, KafkaOptions
from wazuh_dfn.kafka.record_producer import Told
from wazuh_dfn.kafka.throttle import Throttle
from wazuh_dfn.kafka.tls_context import TlsContexts, make_tls_contexts

TOPIC_PATIENCE = 10.0
"""Maximum time in seconds that a topic may be missing after connecting. Brokers that create topics on first use need a moment."""
ID_LENGTH = 32
SOURCE = f"{socket.gethostname()} wazuh-dfn/{version('wazuh-dfn')}".encode()
_UNLIMITED = 2**31 - 1
_LOG_APPEND_TIME = 1


class KafkaConnection:
    """One connected producer, bound to one partition of the topic. Created by `open_connection`."""

    def __init__(self, options: KafkaOptions, tls: TlsContexts | None, told: Told, throttle: Throttle) -> None:
        self._options = options
        self._tls = tls
        self._told = told
        self._throttle = throttle
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
        self._partition = PartitionView(self._producer.client.cluster, options.topic)
        self._leash = Leash(
            self._producer.client,
            addresses=options.brokers,
            dial=self._dial,
            partition=self._partition,
            explain=self._explain,
            told=told,
            longest_pause_seconds=options.longest_pause_seconds,
        )
        self._diagnosis = Diagnosis(options, lambda: self._tls, self._partition, self._leash.connection, self._dial)
        self._is_throttled = False
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
        self._partition.number = choose_partition(self._options.topic, partitions)

    async def send(self, batches: Iterable[list[bytes]]) -> None:
        """Send each list as one record batch, in this order, and wait for all acknowledgements."""
        self._unacknowledged, self._sending = deque(batches), None
        await self.wait()

    @property
    def unacknowledged(self) -> int:
        """Number of values of the last `send` that are not acknowledged."""
        return sum(map(len, self._unacknowledged))

    @property
    def is_sending(self) -> bool:
        """Whether `wait` can resume without duplicating records."""
        return bool(self._unacknowledged) and (self._options.idempotence or self._is_throttled)

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
        self._is_throttled = True
        await asyncio.sleep(self._throttle.seconds)
        self._is_throttled = False
        batch, timestamp, with_headers = self._producer.create_batch(), int(time.time() * 1000), self._options.record_headers
        for value in values:
            batch.append(timestamp=timestamp, key=None, value=value, headers=record_headers(value) if with_headers else [])
        batch.close()
        future = await self._producer.send_batch(batch, self._options.topic, partition=self._partition.number)
        future.add_done_callback(retrieve)
        return await future

    async def diagnose(self, error: BaseException, within: float, waited: float) -> Fault:
        """Return why a delivery failed after `waited` seconds, within `within` seconds."""
        if isinstance(error, TimeoutError):
            known = self._leash.fault or (self._throttle.fault if self._is_throttled else None)
            if known is not None:
                return known
        manager = self._producer._txn_manager  # noqa: SLF001 - nothing else tells whether a producer id is missing
        has_id = manager is None or manager.has_pid()
        return await self._diagnosis.of_delivery(error, within, waited, is_bootstrapped=self._leash.is_bootstrapped, has_id=has_id)

    async def _explain(self, errors: Mapping[BrokerAddress, BaseException | None]) -> Fault:
        return await self._diagnosis.of_outage(errors)

    async def close(self) -> None:
        """Close the connection. See `ProducerEnding`."""
        if self._sending is not None:
            self._sending.cancel()
        try:
            await self._leash.aclose()
        finally:
            await self._ending.close()

    async def _dial(self, where: BrokerAddress, on_close: OnClose | None) -> BrokerConnection:
        options, client = self._options, self._producer.client
        await self._renew_tls()
        tls = self._tls.verifying if self._tls is not None else None
        limit = client._request_timeout_ms / 1000  # noqa: SLF001 - the limit that aiokafka gives its own connections
        connection = await dial(where, options, tls, on_close=on_close, within=min(DIAL_SECONDS, limit))
        connection._request_timeout = limit  # noqa: SLF001
        connection.heed = self._throttle.heed
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


async def open_connection(options: KafkaOptions, told: Told, throttle: Throttle) -> KafkaConnection:
    """Connect within `options.timeout_seconds`, including the diagnosis. See `Leash` for `told`.

    Raises:
        BrokerUnavailableError: Connecting failed. The error carries the reason in one line.
    """
    connection = KafkaConnection(options, await _read_tls(options), told, throttle)
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
        fault = Fault(FaultCode.TLS_FILES, "the TLS files cannot be read: the file system does not answer")
        raise BrokerUnavailableError(fault) from error


def record_headers(value: bytes) -> list[tuple[str, bytes]]:
    """Return the headers of a record.

    The `id` depends on the value alone, so a receiver can drop a record that was sent twice.
    """
    return [("id", sha256(value).hexdigest()[:ID_LENGTH].encode()), ("source", SOURCE)]
