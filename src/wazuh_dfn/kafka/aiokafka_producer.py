"""`RecordProducer` and `ProducerFactory` over aiokafka; they run on asyncio alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import anyio
from aiokafka.errors import KafkaError
from anyio import to_thread

from wazuh_dfn.kafka.broker_connection import KafkaConnection, open_connection, record_headers
from wazuh_dfn.kafka.client_errors import RAISE_LIMITS, REJECTIONS, rejection_reason
from wazuh_dfn.kafka.diagnosis import split_time
from wazuh_dfn.kafka.faults import BrokerUnavailableError, Fault, FaultCode, RecordsRejectedError
from wazuh_dfn.kafka.producer_options import KafkaOptions
from wazuh_dfn.kafka.record_producer import RecordProducer, Told
from wazuh_dfn.kafka.throttle import Throttle
from wazuh_dfn.kafka.tls_context import make_tls_contexts

_BATCH_OVERHEAD = 61
_RECORD_OVERHEAD = 16
"""Bytes that Kafka's format (version 2) adds, at most, to each value of less than 128 MB."""
_HEADERS_OVERHEAD = sum(len(name) + len(value) + 3 for name, value in record_headers(b""))


class AiokafkaRecordProducer:
    """A connected producer; made by `AiokafkaProducerFactory.connect`.

    What the broker rejects it has not written, and the producer stays usable: the next `deliver` connects anew by itself (an idempotent
    producer's numbering has a gap after a rejection, which aiokafka does not mend). Values that together exceed `max_request_size`
    travel as several batches, each of which is written or not by itself: after a rejection, then, some may have been written.
    """

    def __init__(self, options: KafkaOptions, connection: KafkaConnection, told: Told, throttle: Throttle) -> None:
        self._options = options
        self._record_overhead = _RECORD_OVERHEAD + (_HEADERS_OVERHEAD if options.record_headers else 0)
        self._connection: KafkaConnection | None = connection
        self._told = told
        self._throttle = throttle
        self._in_flight: Sequence[bytes] = ()
        """What was sent and is not acknowledged; aiokafka goes on trying."""
        self._spoilt = False
        self._delivering: anyio.CancelScope | None = None
        self._is_outdated = False

    def renew(self, options: KafkaOptions) -> None:
        """Connect anew, with these options, before the next delivery of anything else than what is in flight."""
        self._options = options
        self._is_outdated = True
        if self._connection is not None:
            self._connection.renew(options)

    @property
    def appended_at(self) -> float | None:
        """The broker's time (seconds since the epoch) when it wrote what was delivered last; None where the topic keeps our time instead."""
        return self._connection.appended_at if self._connection is not None else None

    async def deliver(self, values: Sequence[bytes]) -> None:
        """Send these values in order and return once all in-sync replicas have acknowledged all of them.

        Raises:
            RecordsRejectedError: too large or invalid.
            BrokerUnavailableError: not acknowledged within `timeout_seconds`, or not possible; see `RecordProducer`.
        """
        if self._in_flight and list(values) == list(self._in_flight) and self._connection is not None:
            await self._send(self._connection, values, None)
            return
        largest = _BATCH_OVERHEAD + self._record_overhead + max(map(len, values), default=0)
        if largest > self._options.max_request_size:
            text = f"a record takes up to {largest} bytes, kafka.max_request_size allows {self._options.max_request_size}"
            raise RecordsRejectedError(f"{text}; {RAISE_LIMITS}")
        if self._spoilt:
            raise BrokerUnavailableError(Fault(FaultCode.CLOSED, "this producer was closed or has failed: a new one is needed"))
        if not values:
            return
        self._spoilt = True  # until all went well; that covers cancellation too
        if (self._is_outdated or self._in_flight) and self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()
        self._is_outdated, self._in_flight = False, ()
        if self._connection is None:
            self._connection = await open_connection(self._options, self._told, self._throttle)
        await self._send(self._connection, values, list(self._batches(values)))

    async def _send(self, connection: KafkaConnection, values: Sequence[bytes], batches: list[list[bytes]] | None) -> None:
        """Send the batches, or wait on for what was sent before; what is not acknowledged in time stays in flight."""
        self._spoilt = True
        allowed, for_diagnosis = split_time(self._options.timeout_seconds)
        try:
            with anyio.CancelScope() as self._delivering, anyio.fail_after(allowed):
                await (connection.wait() if batches is None else connection.send(batches))
        except REJECTIONS as error:
            self._connection, self._in_flight = None, ()
            await connection.close()
            self._spoilt = False
            raise RecordsRejectedError(rejection_reason(error, max(map(len, values)), self._options)) from error
        except TimeoutError as error:
            fault = await connection.diagnose(error, for_diagnosis, allowed)
            if not connection.is_sending or self._connection is not connection:
                raise BrokerUnavailableError(fault) from error
            self._in_flight, self._spoilt = values, False
            raise BrokerUnavailableError(fault, in_flight=True) from error
        except (KafkaError, OSError, AssertionError) as error:
            raise BrokerUnavailableError(await connection.diagnose(error, for_diagnosis, allowed)) from error
        if self._delivering.cancelled_caught:
            raise BrokerUnavailableError(Fault(FaultCode.CLOSED, "the producer was closed before the broker acknowledged"))
        self._in_flight, self._spoilt = (), False

    def _batches(self, values: Sequence[bytes]) -> Iterator[list[bytes]]:
        """Split where a request would grow too large."""
        batch: list[bytes] = []
        filled = _BATCH_OVERHEAD
        for value in values:
            size = self._record_overhead + len(value)
            if batch and filled + size > self._options.max_request_size:
                yield batch
                batch, filled = [], _BATCH_OVERHEAD
            batch.append(value)
            filled += size
        yield batch

    async def aclose(self) -> None:
        """Close within a few seconds, whatever state the broker is in; a `deliver` that still waits fails. A second call does nothing."""
        self._spoilt = True
        if self._delivering is not None:
            self._delivering.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


class AiokafkaProducerFactory:
    """Makes producers; names are looked up and certificates read from their files each time."""

    def __init__(self, options: KafkaOptions) -> None:
        self._options = options
        self._throttle = Throttle()
        self._latest: AiokafkaRecordProducer | None = None

    async def renew(self, options: KafkaOptions) -> None:
        """Use these options from the next delivery on: with a new connection, as certificates are read when one is made.

        Raises:
            BrokerUnavailableError: the certificates can't be used; all stays as it was.
        """
        if options.tls is not None:
            await to_thread.run_sync(make_tls_contexts, options.tls)
        self._options = options
        if self._latest is not None:
            self._latest.renew(options)

    async def connect(self, told: Told = lambda _: None) -> AiokafkaRecordProducer:
        """Connect within `timeout_seconds`; `told` is as in `Leash`.

        Raises:
            BrokerUnavailableError: with the one clear line for the operator.
        """
        options = self._options
        producer = self._latest = AiokafkaRecordProducer(
            options, await open_connection(options, told, self._throttle), told, self._throttle
        )
        if options is not self._options:
            producer.renew(self._options)
        return producer

    async def close(self, producer: RecordProducer) -> None:
        """Close within three seconds, also when cancelled; never waits for records that can't be sent."""
        if producer is self._latest:
            self._latest = None
        if isinstance(producer, AiokafkaRecordProducer):
            await producer.aclose()
