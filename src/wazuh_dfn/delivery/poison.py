"""Handling of messages that crash their actor: they are divided to find the culprit, which is dead-lettered with the traceback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from traceback import format_exception

from wazuh_dfn.delivery.dead_letter_store import DeadLetter, DeadLetterStore
from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.errors import in_brief
from wazuh_dfn.messages import Alert, AlertBatch, Chunk, Position, Record, RecordBatch


def split_chunk(chunk: Chunk) -> Sequence[Chunk]:
    """Divide a chunk into its lines."""
    ends = [0, *accumulate(map(len, lines_of(chunk.data)))]
    return [chunk.part(start, end) for start, end in pairwise(ends)]


def split_alerts(batch: AlertBatch) -> Sequence[AlertBatch]:
    """Divide a batch into single alerts."""
    return [replace(batch, alerts=(alert,)) for alert in batch.alerts]


def split_records(batch: RecordBatch) -> Sequence[RecordBatch]:
    """Divide a batch into single records."""
    return [replace(batch, records=(record,)) for record in batch.records]


class PoisonBurial:
    """Poison handlers for the mailboxes: dead-letter, then settle."""

    def __init__(self, ledger: Ledger, dead_letters: DeadLetterStore) -> None:
        self._ledger = ledger
        self._dead_letters = dead_letters

    async def bury_chunk(self, chunk: Chunk, error: BaseException) -> None:
        """Dead-letter and settle what is left of a chunk, which is its poisonous line."""
        lines = split_chunk(chunk)
        await self._dead_letters.store([_letter(line.start, line.data, error) for line in lines])
        self._ledger.route(chunk.ticket, not_relevant=0, dead=len(lines), pending={})

    async def bury_batch(self, batch: AlertBatch | RecordBatch, error: BaseException) -> None:
        """Dead-letter and settle the parts of a batch that are not settled yet."""
        parts: Sequence[Alert | Record] = batch.alerts if isinstance(batch, AlertBatch) else batch.records
        pending = self._ledger.pending(batch.ticket, batch.kind)
        letters = [_letter(replace(batch.start, offset=part.offset), part.raw, error) for part in parts if part.offset in pending]
        if letters:
            await self._dead_letters.store(letters)
            self._ledger.settle(batch.ticket, batch.kind, [letter.position.offset for letter in letters], dead=True)


def lines_of(data: bytes) -> list[bytes]:
    """Divide data into lines with their ends.

    Unlike with `bytes.splitlines`, only a line feed ends a line.
    """
    lines = [line + b"\n" for line in data.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _letter(position: Position, raw: bytes, error: BaseException) -> DeadLetter:
    reason = f"crashed its actor again and again: {in_brief(error)}"
    return DeadLetter(position, "poison", reason, raw, traceback="".join(format_exception(error)))
