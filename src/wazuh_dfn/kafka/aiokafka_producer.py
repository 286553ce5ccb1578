"""`RecordProducer` and `ProducerFactory` implemented with aiokafka. Both require asyncio as the event loop."""

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
"""Maximum bytes that Kafka's record format (version 2) adds to a value of less than 128 MB."""
_HEADERS_OVERHEAD = sum(len(name) + len(value) + 3 for name, value in record_headers(b""))


class AiokafkaRecordProducer:
    """A connected producer, created by `AiokafkaProducerFactory.connect`.

    After a rejection the producer stays usable. The next `deliver` opens a new connection, because a rejection leaves a gap in the sequence
    numbers of an idempotent producer, and aiokafka cannot continue after it.

    Values that together exceed `max_request_size` are sent as several batches. Each batch is written completely or not at all, so some of
    them may have been written before a rejection.
    """

    def __init__(self, options: KafkaOptions, connection: KafkaConnection, told: Told, throttle: Throttle) -> None:
        self._options = options
        self._record_overhead = _RECORD_OVERHEAD + (_HEADERS_OVERHEAD if options.record_headers else 0)
        self._connection: KafkaConnection | None = connection
        self._told = told
        self._throttle = throttle
        self._in_flight: Sequence[bytes] = ()
        """Values that were sent and are not acknowledged yet. aiokafka keeps trying to send them."""
        self._spoilt = False
        self._delivering: anyio.CancelScope | None = None
        self._is_outdated = False

    def renew(self, options: KafkaOptions) -> None:
        """Reconnect with these options before the next delivery of new values. Values in flight are finished first."""
        self._options = options
        self._is_outdated = True
        if self._connection is not None:
            self._connection.renew(options)

    @property
    def appended_at(self) -> float | None:
        """The broker's append time of the last delivered batch, in seconds since the epoch.

        None before the first delivery, without a connection, or if the topic keeps the sender's time (CreateTime).
        """
        return self._connection.appended_at if self._connection is not None else None

    async def deliver(self, values: Sequence[bytes]) -> None:
        """Send these values in order and return once all in-sync replicas have acknowledged them.

        Raises:
            RecordsRejectedError: A value is too large or invalid.
            BrokerUnavailableError: Delivery is not possible, or was not acknowledged within `timeout_seconds`. See `RecordProducer`.
        """
        if self._in_flight and list(values) == list(self._in_flight) and self._connection is not None:
            await self._send(self._connection, values, None)
            return
        largest = _BATCH_OVERHEAD + self._record_overhead + max(map(len, values), default=0)
        if largest > self._options.max_request_size:
            text = f"a record takes up to {largest} bytes, kafka.max_request_size allows {self._options.max_request_size}"
            raise RecordsRejectedError(f"{text}; {RAISE_LIMITS}")
        if self._spoilt:
            raise BrokerUnavailableError(Fault(FaultCode.CLOSED, "this producer was closed or has failed: a new producer is needed"))
        if not values:
            return
        self._spoilt = True  # reset after success only, which covers cancellation too
        if (self._is_outdated or self._in_flight) and self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()
        self._is_outdated, self._in_flight = False, ()
        if self._connection is None:
            self._connection = await open_connection(self._options, self._told, self._throttle)
        await self._send(self._connection, values, list(self._batches(values)))

    async def _send(self, connection: KafkaConnection, values: Sequence[bytes], batches: list[list[bytes]] | None) -> None:
        """Send the batches, or continue to wait for those sent before if `batches` is None.

        Values that are not acknowledged in time stay in flight.
        """
        self._spoilt = True
        allowed, for_diagnosis = split_time(self._options.timeout_seconds)
        try:
            with anyio.CancelScope() as self._delivering, anyio.fail_after(allowed):
                await (connection.wait() if batches is None else connection.send(batches))
        except REJECTIONS as error:
            self._connection, self._in_flight = None, ()
            written = len(values) - connection.unacknowledged
            await connection.close()
            self._spoilt = False
            raise RecordsRejectedError(rejection_reason(error, max(map(len, values)), self._options), written=written) from error
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
        """Split the values into batches of at most `max_request_size` bytes."""
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
        """Close within a few seconds, whatever state the broker is in.

        A pending `deliver` fails. Further calls do nothing.
        """
        self._spoilt = True
        if self._delivering is not None:
            self._delivering.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


class AiokafkaProducerFactory:
    """Creates producers. Resolves host names and reads the certificate files for each connection."""

    def __init__(self, options: KafkaOptions) -> None:
        self._options = options
        self._throttle = Throttle()
        self._latest: AiokafkaRecordProducer | None = None

    async def renew(self, options: KafkaOptions) -> None:
        """Use these options from the next delivery on, with a new connection.

        Raises:
            BrokerUnavailableError: The certificates cannot be used. The previous options stay in force.
        """
        if options.tls is not None:
            await to_thread.run_sync(make_tls_contexts, options.tls)
        self._options = options
        if self._latest is not None:
            self._latest.renew(options)

    async def connect(self, told: Told = lambda _: None) -> AiokafkaRecordProducer:
        """Connect within `timeout_seconds`. `told` is described in `Leash`.

        Raises:
            BrokerUnavailableError: Connecting failed. The error carries the reason in one line for the operator.
        """
        options = self._options
        producer = self._latest = AiokafkaRecordProducer(
            options, await open_connection(options, told, self._throttle), told, self._throttle
        )
        if options is not self._options:
            producer.renew(self._options)
        return producer

    async def close(self, producer: RecordProducer) -> None:
        """Close within about three seconds, even if cancelled. Does not wait for records that cannot be sent."""
        if producer is self._latest:
            self._latest = None
        if isinstance(producer, AiokafkaRecordProducer):
            await producer.aclose()
