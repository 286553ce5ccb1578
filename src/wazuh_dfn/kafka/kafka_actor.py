"""The actor that delivers records of both kinds in order, and retries until the broker has acknowledged them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from random import Random

import anyio

from wazuh_dfn.delivery.dead_letter_store import DeadLetter, DeadLetterStore
from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.errors import in_brief
from wazuh_dfn.kafka.certificate_expiry import CertificateSeen
from wazuh_dfn.kafka.faults import BrokerUnavailableError, Fault, FaultCode, RecordsRejectedError
from wazuh_dfn.kafka.kafka_status import KafkaStatus
from wazuh_dfn.kafka.record_producer import ProducerFactory, RecordProducer
from wazuh_dfn.messages import Record, RecordBatch
from wazuh_dfn.supervision.failures import EndOfMailboxError
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.supervision.mailbox import Lease
from wazuh_dfn.supervision.restart_policy import RETRY_JITTER, Backoff
from wazuh_dfn.wazuh.feedback_queue import FeedbackQueue

CLOSE_TIMEOUT_SECONDS = 4.0
FIRST_RETRY_SECONDS = 0.2

type Entry = tuple[RecordBatch, Record]


@dataclass(frozen=True, slots=True)
class KafkaActorOptions:
    """Limits of the Kafka actor.

    Attributes:
        max_batch_bytes: Maximum size of the values of one delivery. A single larger record is delivered alone.
        retry_interval_seconds: Maximum pause between attempts.
        slow_retry_interval_seconds: Maximum pause after an error that needs an operator.
    """

    max_batch_bytes: int = 950_000
    retry_interval_seconds: float = 5.0
    slow_retry_interval_seconds: float = 60.0


class KafkaActor:
    """Combines the waiting batches of its mailbox into large ones.

    One delivery is in progress at a time, so that retries keep the order.
    """

    def __init__(
        self,
        producers: ProducerFactory,
        ledger: Ledger,
        dead_letters: DeadLetterStore,
        *,
        status: KafkaStatus,
        feedback: FeedbackQueue,
        note: Callable[[], Awaitable[None]],
        options: KafkaActorOptions,
        random: Random,
    ) -> None:
        self._producers = producers
        self._ledger = ledger
        self._dead_letters = dead_letters
        self._status = status
        self._feedback = feedback
        self._note = note
        self._options = options
        self._random = random
        self._producer: RecordProducer | None = None

    async def run(self, lifeline: Lifeline[RecordBatch]) -> None:
        """Connect at once, so that faults show before there is anything to send. Then deliver until the mailbox ends."""
        lifeline.started()
        try:
            await self._make_contact(lifeline)
            async for first in lifeline.messages():
                leases = self._gather(lifeline, first)
                for batch in self._batches(leases):
                    await self._deliver(lifeline, batch)
                for lease in leases:
                    lease.done()
        finally:
            await self._drop_producer()

    async def _make_contact(self, lifeline: Lifeline[RecordBatch]) -> None:
        """Retry until connected or asked to stop. In both cases the waiting batches are tried afterwards."""
        async with lifeline.until_stopping():
            while self._producer is None:
                try:
                    await self._connect()
                except BrokerUnavailableError as error:
                    await self._wait_for_broker(lifeline, error)
            self._status.reached()

    def _gather(self, lifeline: Lifeline[RecordBatch], first: Lease[RecordBatch]) -> list[Lease[RecordBatch]]:
        leases = [first]
        size = _size(first.item)
        while size < self._options.max_batch_bytes:
            try:
                lease = lifeline.inbox.receive_nowait()
            except EndOfMailboxError:
                break
            if lease is None:
                break
            leases.append(lease)
            size += _size(lease.item)
        return leases

    def _batches(self, leases: Sequence[Lease[RecordBatch]]) -> Iterator[list[Entry]]:
        """Yield the records that are not settled yet, in order, in chunks of at most `max_batch_bytes` or of one record."""
        piece: list[Entry] = []
        size = 0
        for lease in leases:
            pending = self._ledger.pending(lease.item.ticket, lease.item.kind)
            for record in lease.item.records:
                if record.offset not in pending:
                    continue
                if piece and size + len(record.value) > self._options.max_batch_bytes:
                    yield piece
                    piece, size = [], 0
                piece.append((lease.item, record))
                size += len(record.value)
        if piece:
            yield piece

    async def _deliver(self, lifeline: Lifeline[RecordBatch], entries: list[Entry]) -> None:
        while True:
            self._status.begins()
            try:
                producer = await self._connect()
                lifeline.progress()
                began = anyio.current_time()
                await producer.deliver([record.value for _, record in entries])
            except RecordsRejectedError as error:
                self._settle(entries[: error.written])
                await self._isolate(lifeline, entries[error.written :], error)
                return
            except BrokerUnavailableError as error:
                await self._wait_for_broker(lifeline, error)
            except Exception as error:  # noqa: BLE001 - a client bug must not send good records to the dead letters
                defect = Fault(FaultCode.DEFECT, f"unexpected error while delivering: {in_brief(error)}")
                await self._wait_for_broker(lifeline, BrokerUnavailableError(defect))
            else:
                self._status.acknowledged(anyio.current_time() - began, (record.alert_time for _, record in entries))
                self._settle(entries)
                await self._note()
                lifeline.progress()
                return

    def _settle(self, entries: list[Entry]) -> None:
        for batch, of_batch in groupby(entries, key=itemgetter(0)):
            records = [record for _, record in of_batch]
            self._ledger.settle(batch.ticket, batch.kind, [record.offset for record in records])
            for record in records:
                self._feedback.delivered(batch.kind, record.raw)

    async def _isolate(self, lifeline: Lifeline[RecordBatch], entries: list[Entry], error: RecordsRejectedError) -> None:
        """Bisect a rejected batch until the offending record is alone, and store that one as a dead letter."""
        if len(entries) > 1:
            middle = len(entries) // 2
            await self._deliver(lifeline, entries[:middle])
            await self._deliver(lifeline, entries[middle:])
            return
        [(batch, record)] = entries
        position = replace(batch.start, offset=record.offset)
        with lifeline.waiting("the dead-letter store"):
            await self._dead_letters.store([DeadLetter(position, "rejected", error.reason, record.raw)])
        self._ledger.settle(batch.ticket, batch.kind, [record.offset], dead=True)
        self._feedback.error("rejected", f"the broker refuses a record, its line is in the dead letters: {error.reason}")

    async def _connect(self) -> RecordProducer:
        if self._producer is None:
            try:
                self._producer = await self._producers.connect(self._hear)
            except BrokerUnavailableError:
                raise
            except Exception as error:  # nothing was sent yet, so the records cannot be the cause
                defect = Fault(FaultCode.DEFECT, f"unexpected error while connecting: {in_brief(error)}")
                raise BrokerUnavailableError(defect) from error
            self._status.connected()
        return self._producer

    async def _wait_for_broker(self, lifeline: Lifeline[RecordBatch], error: BrokerUnavailableError) -> None:
        self._hear(error.fault)
        lifeline.progress()
        if error.in_flight:
            return
        await self._drop_producer()
        longest = self._options.slow_retry_interval_seconds if error.needs_operator else self._options.retry_interval_seconds
        backoff = Backoff(FIRST_RETRY_SECONDS, longest, jitter=RETRY_JITTER)
        with lifeline.waiting("the broker"):
            await anyio.sleep(backoff.delay_seconds(self._status.failures_in_a_row, self._random))

    def _hear(self, news: Fault | CertificateSeen | None) -> None:
        """Record that the broker became unreachable or reachable again, or which certificates are in use."""
        if news is None:
            self._status.reached()
        elif isinstance(news, CertificateSeen):
            self._status.certificates.seen(news)
            self._status.certificates.look(self._status.now())
        elif self._status.failed(news):
            self._feedback.error("broker", f"broker unavailable, alerts wait in the file: {news.text}")

    async def _drop_producer(self) -> None:
        """Close the producer. It is not used again after an error, because an idempotent one may be broken permanently."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with anyio.move_on_after(CLOSE_TIMEOUT_SECONDS, shield=True):
                await self._producers.close(producer)


def _size(batch: RecordBatch) -> int:
    return sum(len(record.value) for record in batch.records)
