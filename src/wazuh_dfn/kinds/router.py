"""The router: finds the relevant lines of a chunk and passes each to the actor of its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

from wazuh_dfn.delivery.dead_letter_store import DeadLetter, DeadLetterStore, Stage
from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.errors import MalformedLineError
from wazuh_dfn.kinds.selection import Selection
from wazuh_dfn.lines.parse import inner_nuls, parse_alert
from wazuh_dfn.lines.torn import AlertsOnLine, alert_spans, alerts_on_torn
from wazuh_dfn.messages import LINE_LIMIT_BYTES, Alert, AlertBatch, Chunk, KindName
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.supervision.mailbox import Lease, Mailbox, Permit

PARSED_AT_ONCE = 128
"""Maximum number of alerts passed on together, because as objects they take ten times the memory of their bytes."""

type AlertMailboxes = Mapping[KindName, Mailbox[AlertBatch]]
type Span = tuple[int, int]
"""Start and end offsets in the data of a chunk."""


@dataclass(slots=True)
class _Sorted:
    """The lines of a chunk, sorted by what becomes of them."""

    alerts: dict[KindName, list[Alert]] = field(default_factory=dict)
    relevant: int = 0
    """Number of relevant alerts. Each counts once, even if it is of several kinds."""
    odd: int = 0
    dead_letters: list[DeadLetter] = field(default_factory=list)
    lines_more: int = 0
    """Number of lines by which the count of line feeds is too low, as a torn line counts as the lines that it should have been."""


class Router:
    """Scans the bytes of a chunk first (`CandidateScan`) and parses only what may be relevant.

    `wanted` returns the selection to use, and is called for each chunk.
    """

    def __init__(self, wanted: Callable[[], Selection], ledger: Ledger, dead_letters: DeadLetterStore, outboxes: AlertMailboxes) -> None:
        self._wanted = wanted
        self._selection = wanted()
        self._ledger = ledger
        self._dead_letters = dead_letters
        self._outboxes = outboxes

    async def run(self, lifeline: Lifeline[Chunk]) -> None:
        """Route until the mailbox ends."""
        lifeline.started()
        async for lease in lifeline.messages():
            self._selection = self._wanted()
            if lease.item.oversize:
                found = _Sorted()
                self._sort_oversize(lease.item, found)
                await self._hand_on(lifeline, lease, found)
            else:
                await self._route(lifeline, lease)

    async def _route(self, lifeline: Lifeline[Chunk], lease: Lease[Chunk]) -> None:
        """Sort a chunk and pass it on, in parts if it has many alerts."""
        candidates = [*self._selection.scan.candidates(lease.item.data)]
        while True:
            chunk = lease.item
            found, done = self._sort(chunk, candidates)
            if done == len(candidates):
                await self._hand_on(lifeline, lease, found)
                return
            start = candidates[done][0]
            part, lease = lease.divide([chunk.part(0, start), chunk.part(start, len(chunk.data))])
            candidates = [(begin - start, end - start) for begin, end in candidates[done:]]
            await self._hand_on(lifeline, part, found)

    async def _hand_on(self, lifeline: Lifeline[Chunk], lease: Lease[Chunk], found: _Sorted) -> None:
        chunk = lease.item
        if found.dead_letters:
            with lifeline.waiting("the dead-letter store"):
                await self._dead_letters.store(found.dead_letters)
        async with AsyncExitStack() as stack:
            permits: dict[KindName, Permit[AlertBatch]] = {}
            for kind in found.alerts:
                permits[kind] = await stack.enter_async_context(lifeline.reserve(self._outboxes[kind]))
            self._book(chunk, found)
            for kind, alerts in found.alerts.items():
                permits[kind].put(AlertBatch(chunk.ticket, chunk.start, kind, tuple(alerts)))
            lease.done()

    def _sort(self, chunk: Chunk, candidates: Sequence[Span]) -> tuple[_Sorted, int]:
        """Sort lines until `PARSED_AT_ONCE` alerts are reached, and return the result and the number of candidates sorted."""
        found = _Sorted()
        for done, (start, end) in enumerate(candidates):
            if found.relevant >= PARSED_AT_ONCE:
                return found, done
            self._sort_line(chunk, start, chunk.data[start:end], found)
        return found, len(candidates)

    def _sort_line(self, chunk: Chunk, start: int, raw: bytes, found: _Sorted) -> None:
        offset = chunk.start.offset + start
        if len(raw) >= LINE_LIMIT_BYTES:  # the limit includes the line feed
            self._sort_oversize(replace(chunk, start=replace(chunk.start, offset=offset), data=raw), found)
            return
        try:
            content = parse_alert(raw)
        except MalformedLineError as error:
            self._sort_torn_line(chunk, offset, raw, alerts_on_torn(raw, error), found)
        else:
            self._select(chunk, Alert(offset, raw, content), found)

    def _sort_torn_line(self, chunk: Chunk, offset: int, raw: bytes, alerts: AlertsOnLine, found: _Sorted) -> None:
        found.lines_more += alerts.lines - 1
        if alerts.outline is not None and not self._selection.kinds(alerts.outline):
            found.odd += 1
        elif alerts.problem is not None:
            found.dead_letters.append(_letter(chunk, offset, self._stage(raw), alerts.problem, raw))
        for span, content in alerts.whole:
            self._select(chunk, Alert(offset + span.start, raw[span], content), found)

    def _stage(self, raw: bytes) -> Stage:
        """Return the stage of a line that cannot be read.

        A line with NUL bytes is not junk, because a token may have been in their place.
        """
        return "malformed" if b"\0" in raw or self._selection.scan.holds_token(raw) else "junk"

    def _select(self, chunk: Chunk, alert: Alert, found: _Sorted) -> None:
        kinds = self._selection.kinds(alert.content)
        found.relevant += bool(kinds)
        for kind in kinds:
            found.alerts.setdefault(kind.name, []).append(alert)
        if nuls := inner_nuls(alert.raw):  # a page was lost, with parts of several alerts or with what made this one relevant
            found.lines_more += bool(kinds)
            reason = (
                f"the line holds {nuls} NUL bytes, what stood there is lost; it was {'forwarded' if kinds else 'not selected'} as it is"
            )
            found.dead_letters.append(_letter(chunk, alert.offset, "malformed", reason, alert.raw))

    def _sort_oversize(self, line: Chunk, found: _Sorted) -> None:
        """Dead-letter a line over the limit, and forward the whole alerts on it, as for a torn line."""
        alerts = [alert for begin, data in _ends(line) for alert in self._alerts_on(data, line.start.offset + begin)]
        for alert in alerts:
            self._select(line, alert, found)
        found.lines_more += len(alerts)
        kept = f"{line.cut} bytes in its middle were not kept" if line.cut else "it is kept whole"
        saved = f"; alerts that stand whole on it were forwarded: {len(alerts)}" if alerts else ""
        reason = f"longer than {LINE_LIMIT_BYTES // 2**20} MiB; {kept}{saved}"
        found.dead_letters.append(_letter(line, line.start.offset, "oversize", reason, line.data))

    def _alerts_on(self, data: bytes, offset: int) -> Iterator[Alert]:
        for span in alert_spans(data):
            raw = data[span]
            if len(raw) >= LINE_LIMIT_BYTES or not self._selection.scan.holds_token(raw):
                continue
            try:
                content = parse_alert(raw)
            except MalformedLineError:
                continue
            if self._selection.kinds(content):
                yield Alert(offset + span.start, raw, content)

    def _book(self, chunk: Chunk, found: _Sorted) -> None:
        lines = chunk.lines + found.lines_more
        dead = len(found.dead_letters)
        self._ledger.add_lines(chunk.ticket, found.lines_more)
        pending = {kind: [alert.offset for alert in alerts] for kind, alerts in found.alerts.items()}
        self._ledger.route(chunk.ticket, not_relevant=lines - dead - found.relevant, dead=dead, pending=pending, odd=found.odd)


def _letter(chunk: Chunk, offset: int, stage: Stage, reason: str, raw: bytes) -> DeadLetter:
    return DeadLetter(replace(chunk.start, offset=offset), stage, reason, raw)


def _ends(line: Chunk) -> list[tuple[int, bytes]]:
    """Return the pieces that are kept of a line over the limit, each with its offset in the line."""
    data = line.data.removesuffix(b"\n")
    if not line.cut:
        return [(0, data)]
    half = len(line.data) // 2
    return [(0, data[:half]), (half + line.cut, data[half:])]
