"""The router: finds the relevant lines of a chunk and gives each to the actor that knows its format."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.delivery.ports import DeadLetter, DeadLetterStore
from wazuh_dfn.errors import MalformedLineError
from wazuh_dfn.formats.candidates import CandidateScan
from wazuh_dfn.formats.parse import parse_alert
from wazuh_dfn.formats.relevance import Selection
from wazuh_dfn.messages import Alert, AlertBatch, Chunk, RecordKind, count_lines
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.supervision.mailbox import Mailbox, Permit

type AlertMailboxes = dict[RecordKind, Mailbox[AlertBatch]]


@dataclass(slots=True)
class _Sorted:
    """A chunk's lines, sorted."""

    alerts: dict[RecordKind, list[Alert]] = field(default_factory=dict)
    pending: dict[int, set[RecordKind]] = field(default_factory=dict)
    dead_letters: list[DeadLetter] = field(default_factory=list)

    def add(self, kind: RecordKind, alert: Alert) -> None:
        self.alerts.setdefault(kind, []).append(alert)
        self.pending.setdefault(alert.offset, set()).add(kind)


class Router:
    """Looks at the bytes of a chunk first (`CandidateScan`) and parses only what may be relevant."""

    def __init__(
        self, scan: CandidateScan, selection: Selection, ledger: Ledger, dead_letters: DeadLetterStore, outboxes: AlertMailboxes
    ) -> None:
        self._scan = scan
        self._selection = selection
        self._ledger = ledger
        self._dead_letters = dead_letters
        self._outboxes = outboxes

    async def run(self, lifeline: Lifeline[Chunk]) -> None:
        """Route until the mailbox ends."""
        lifeline.started()
        async for lease in lifeline.messages():
            chunk = lease.item
            found = self._sort(chunk)
            for letter in found.dead_letters:
                await self._dead_letters.store(letter)
                lifeline.progress()
            async with AsyncExitStack() as stack:
                permits: dict[RecordKind, Permit[AlertBatch]] = {}
                for kind in found.alerts:
                    permits[kind] = await stack.enter_async_context(lifeline.reserve(self._outboxes[kind]))
                self._book(chunk, found)
                for kind, alerts in found.alerts.items():
                    permits[kind].put(AlertBatch(chunk.ticket, chunk.start, kind, tuple(alerts)))
                lease.done()

    def _sort(self, chunk: Chunk) -> _Sorted:
        found = _Sorted()
        if chunk.oversize:
            found.dead_letters.append(DeadLetter(chunk.start, "oversize", "longer than 256 KiB; only its beginning is kept", chunk.data))
            return found
        for start, end in self._scan.candidates(chunk.data):
            raw = chunk.data[start:end]
            offset = chunk.start.offset + start
            try:
                alert = Alert(offset, raw, parse_alert(raw))
            except MalformedLineError as error:
                found.dead_letters.append(DeadLetter(replace(chunk.start, offset=offset), "malformed", str(error), raw))
                continue
            if self._selection.windows(alert.content):
                found.add("windows", alert)
            if self._selection.fail2ban(alert.content):
                found.add("fail2ban", alert)
        return found

    def _book(self, chunk: Chunk, found: _Sorted) -> None:
        lines = 1 if chunk.oversize else count_lines(chunk.data)
        dead = len(found.dead_letters)
        self._ledger.route(chunk.ticket, not_relevant=lines - dead - len(found.pending), dead=dead, pending=found.pending)
