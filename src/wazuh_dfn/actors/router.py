"""The router: finds the relevant lines of a chunk and gives each to the actor that knows its format."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from itertools import pairwise

from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.delivery.ports import DeadLetter, DeadLetterStore
from wazuh_dfn.errors import MalformedLineError
from wazuh_dfn.formats.candidates import CandidateScan
from wazuh_dfn.formats.parse import parse_alert
from wazuh_dfn.formats.relevance import Selection
from wazuh_dfn.formats.torn import AlertsOnLine, alerts_on_torn
from wazuh_dfn.messages import LINE_LIMIT_BYTES, Alert, AlertBatch, Chunk, Position, RecordKind
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.supervision.mailbox import Lease, Mailbox, Permit

PARSED_AT_ONCE = 128
"""So many lines, at most, are parsed and handed on together: as objects they take ten times the memory of their bytes."""

type AlertMailboxes = dict[RecordKind, Mailbox[AlertBatch]]
type Span = tuple[int, int]
"""Start and end in the data of a chunk."""


@dataclass(slots=True)
class _Sorted:
    """A chunk's lines, sorted."""

    alerts: dict[RecordKind, list[Alert]] = field(default_factory=dict)
    relevant: int = 0
    """Lines; some are alerts of both kinds."""
    dead_letters: list[DeadLetter] = field(default_factory=list)
    lines_more: int = 0
    """Torn lines count as what they should have been: so many lines more."""


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

    def use(self, scan: CandidateScan, selection: Selection) -> None:
        """Go by other rules from the next chunk on."""
        self._scan = scan
        self._selection = selection

    async def run(self, lifeline: Lifeline[Chunk]) -> None:
        """Route until the mailbox ends."""
        lifeline.started()
        async for lease in lifeline.messages():
            candidates = self._candidates(lease.item)
            if len(candidates) <= PARSED_AT_ONCE:
                await self._route(lifeline, lease, candidates)
            else:
                for part in lease.divide(_parts(lease.item, candidates)):
                    await self._route(lifeline, part, self._candidates(part.item))

    def _candidates(self, chunk: Chunk) -> list[Span]:
        return [] if chunk.oversize else [*self._scan.candidates(chunk.data)]

    async def _route(self, lifeline: Lifeline[Chunk], lease: Lease[Chunk], candidates: list[Span]) -> None:
        chunk = lease.item
        found = self._sort(chunk, candidates)
        for letter in found.dead_letters:
            with lifeline.waiting("the dead-letter store"):
                await self._dead_letters.store(letter)
        async with AsyncExitStack() as stack:
            permits: dict[RecordKind, Permit[AlertBatch]] = {}
            for kind in found.alerts:
                permits[kind] = await stack.enter_async_context(lifeline.reserve(self._outboxes[kind]))
            self._book(chunk, found)
            for kind, alerts in found.alerts.items():
                permits[kind].put(AlertBatch(chunk.ticket, chunk.start, kind, tuple(alerts)))
            lease.done()

    def _sort(self, chunk: Chunk, candidates: list[Span]) -> _Sorted:
        found = _Sorted()
        if chunk.oversize:
            found.dead_letters.append(_oversize(chunk.start, chunk.data))
            return found
        for start, end in candidates:
            self._sort_line(chunk, start, chunk.data[start:end], found)
        return found

    def _sort_line(self, chunk: Chunk, start: int, raw: bytes, found: _Sorted) -> None:
        offset = chunk.start.offset + start
        if len(raw) >= LINE_LIMIT_BYTES:  # its line feed counts
            found.dead_letters.append(_oversize(replace(chunk.start, offset=offset), _ends(raw)))
            return
        try:
            self._select(Alert(offset, raw, parse_alert(raw)), found)
        except MalformedLineError as error:
            self._sort_torn_line(chunk, offset, raw, alerts_on_torn(raw, error), found)

    def _sort_torn_line(self, chunk: Chunk, offset: int, raw: bytes, alerts: AlertsOnLine, found: _Sorted) -> None:
        found.lines_more += alerts.lines - 1
        if alerts.problem is not None:
            found.dead_letters.append(DeadLetter(replace(chunk.start, offset=offset), "malformed", alerts.problem, raw))
        for span, content in alerts.whole:
            self._select(Alert(offset + span.start, raw[span], content), found)

    def _select(self, alert: Alert, found: _Sorted) -> None:
        kinds = self._selection.kinds(alert.content)
        found.relevant += bool(kinds)
        for kind in kinds:
            found.alerts.setdefault(kind, []).append(alert)

    def _book(self, chunk: Chunk, found: _Sorted) -> None:
        lines = chunk.lines + found.lines_more
        dead = len(found.dead_letters)
        self._ledger.add_lines(chunk.ticket, found.lines_more)
        pending = {kind: [alert.offset for alert in alerts] for kind, alerts in found.alerts.items()}
        self._ledger.route(chunk.ticket, not_relevant=lines - dead - found.relevant, dead=dead, pending=pending)


def _oversize(start: Position, ends: bytes) -> DeadLetter:
    return DeadLetter(start, "oversize", "longer than 256 KiB; its first and last 128 KiB are kept", ends)


def _ends(line: bytes) -> bytes:
    half = LINE_LIMIT_BYTES // 2
    return line[:half] + line[-half:]


def _parts(chunk: Chunk, candidates: list[Span]) -> list[Chunk]:
    """Divide a chunk so that each part begins with a candidate and has `PARSED_AT_ONCE` of them, the last one fewer."""
    starts = [0, *(start for start, _ in candidates[PARSED_AT_ONCE::PARSED_AT_ONCE])]
    return [chunk.part(start, end) for start, end in pairwise([*starts, len(chunk.data)])]
