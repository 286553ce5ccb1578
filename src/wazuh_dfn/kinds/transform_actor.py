"""Common part of the actors of all kinds: alerts in, records out.

A bad alert does not affect the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from traceback import format_exc

from wazuh_dfn.delivery.dead_letter_store import DeadLetter, DeadLetterStore
from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.errors import in_brief
from wazuh_dfn.kinds import record
from wazuh_dfn.kinds.kind import Complain, Kind
from wazuh_dfn.lines.alert_time import alert_time
from wazuh_dfn.messages import Alert, AlertBatch, Record, RecordBatch
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.supervision.mailbox import Mailbox


def local_now() -> datetime:
    """Return the time in the local zone, for alerts without a timestamp (kinds/CONTRACT.md, "Timestamps")."""
    return datetime.now().astimezone()


class TransformActor:
    """Transforms batches of alerts of one kind into batches of records."""

    def __init__(
        self,
        kind: Kind,
        ledger: Ledger,
        dead_letters: DeadLetterStore,
        outbox: Mailbox[RecordBatch],
        complain: Complain,
        *,
        now: Callable[[], datetime] = local_now,
    ) -> None:
        self._kind = kind
        self._ledger = ledger
        self._dead_letters = dead_letters
        self._outbox = outbox
        self.complain = complain
        self._now = now

    async def run(self, lifeline: Lifeline[AlertBatch]) -> None:
        """Transform until the mailbox ends."""
        lifeline.started()
        async for lease in lifeline.messages():
            records = await self._records(lifeline, lease.item)
            if records:
                async with lifeline.reserve(self._outbox) as permit:
                    permit.put(RecordBatch(lease.item.ticket, lease.item.start, lease.item.kind, tuple(records)))
                    lease.done()
            else:
                lease.done()

    def inspect(self, alert: Alert) -> None:
        """Inspect an alert before it is transformed, to log warnings."""

    async def _records(self, lifeline: Lifeline[AlertBatch], batch: AlertBatch) -> list[Record]:
        """Return the records, without alerts that are dead-lettered, now or by a predecessor that crashed afterwards."""
        now = self._now()
        letters: list[DeadLetter] = []
        pending = self._ledger.pending(batch.ticket, batch.kind)
        records = []
        for alert in batch.alerts:
            if alert.offset not in pending:
                continue
            try:
                self.inspect(alert)
                value = record.build(self._kind, alert.content, now)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one alert must not cost the others
                position = replace(batch.start, offset=alert.offset)
                letters.append(DeadLetter(position, batch.kind, in_brief(error), alert.raw, format_exc()))
            else:
                records.append(Record(alert.offset, alert.raw, value, alert_time(alert.content)))
        if letters:
            await self._bury(lifeline, batch, letters)
        return records

    async def _bury(self, lifeline: Lifeline[AlertBatch], batch: AlertBatch, letters: Sequence[DeadLetter]) -> None:
        with lifeline.waiting("the dead-letter store"):
            await self._dead_letters.store(letters)
        self._ledger.settle(batch.ticket, batch.kind, [letter.position.offset for letter in letters], dead=True)
        text = f"an alert could not be transformed ({batch.kind}), its line is in the dead letters: {letters[0].reason}"
        self.complain(batch.kind, text)
