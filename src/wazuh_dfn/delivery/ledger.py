"""The ledger: what was read, what has become of it, and up to where everything is settled.

A line is settled when it is not relevant, or when each of its records was acknowledged by the broker or is in the dead letters. All methods
are synchronous, so that an actor can pass a message on and book it in one step that no cancellation can split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from wazuh_dfn.messages import KindName, Position, Ticket


@dataclass(frozen=True, slots=True)
class Accounting:
    """Counts of lines since the start of this process.

    `in_flight` is counted from the open chunks and not derived from the other counts.
    """

    lines_read: int
    not_relevant: int
    delivered: int
    dead_lettered: int
    in_flight: int
    odd: int = 0
    """Number of lines that are not relevant and could not be sent either, because they are nested too deeply."""

    @property
    def is_balanced(self) -> bool:
        """The identity that always holds: read = not relevant + delivered + dead-lettered + in flight."""
        return self.lines_read == self.not_relevant + self.delivered + self.dead_lettered + self.in_flight


@dataclass(slots=True)
class _OpenChunk:
    end: Position
    size: int
    """Size in bytes."""
    unrouted: int
    """Number of lines that the router has not processed yet."""
    pending: dict[KindName, set[int]] = field(default_factory=dict)
    """Offsets of the lines whose record is not settled yet, by kind."""
    dead: set[int] = field(default_factory=set)
    """Offsets of the lines with a record in the dead letters."""

    @property
    def is_settled(self) -> bool:
        return self.unrouted == 0 and not any(self.pending.values())


CROWDED_CHUNKS = 256
"""Number of open chunks from which on they are searched for chunks that can be merged."""

_NOTHING: frozenset[int] = frozenset()


class Ledger:
    """Books every chunk from reading to settlement.

    Settling something unknown, or a second time, changes nothing.

    Args:
        kinds: names of all kinds, for the counts.
        on_delivered: called with the offset of each line when a record of it was acknowledged.
        on_settled: called with the end of each chunk once everything up to there is settled, in reading order. Merged chunks share a call.
    """

    def __init__(
        self,
        on_settled: Callable[[Position], None] = lambda _: None,
        kinds: Iterable[KindName] = (),
        on_delivered: Callable[[int], None] | None = None,
    ) -> None:
        self.acked_through: Position | None = None
        """Everything up to here is settled, in reading order. None until something was."""
        self._on_settled = on_settled
        self._on_delivered = on_delivered
        self.records_delivered = Counter[KindName](dict.fromkeys(kinds, 0))
        self._chunks: dict[Ticket, _OpenChunk] = {}
        self._crowded_at = CROWDED_CHUNKS
        self._last_ticket = Ticket(0)
        self._lines_read = 0
        self._not_relevant = 0
        self._odd = 0
        self._delivered = 0
        self._dead_lettered = 0

    @property
    def accounting(self) -> Accounting:
        """The present counts."""
        in_flight = sum(chunk.unrouted + len(_lines(chunk.pending)) for chunk in self._chunks.values())
        return Accounting(self._lines_read, self._not_relevant, self._delivered, self._dead_lettered, in_flight, self._odd)

    @property
    def open_bytes(self) -> int:
        """Size in bytes of all chunks that are not settled."""
        return sum(chunk.size for chunk in self._chunks.values() if not chunk.is_settled)

    def open_chunk(self, end: Position, lines: int, size: int = 0) -> Ticket:
        """Book a chunk with `lines` lines and `size` bytes in total, read up to `end`."""
        if len(self._chunks) >= self._crowded_at:
            self._merge_settled()
        ticket = self._next_ticket()
        self._chunks[ticket] = _OpenChunk(end, size, unrouted=lines)
        self._lines_read += lines
        return ticket

    def add_lines(self, ticket: Ticket, lines: int) -> None:
        """Book that a chunk holds more lines than line feeds, because a crashed writer left some out."""
        self._chunks[ticket].unrouted += lines
        self._lines_read += lines

    def route(self, ticket: Ticket, *, not_relevant: int, dead: int, pending: Mapping[KindName, Collection[int]], odd: int = 0) -> None:
        """Book the decisions of the router.

        Args:
            ticket: the chunk.
            not_relevant: number of lines that are not relevant.
            dead: number of dead-lettered lines.
            pending: offsets of the lines on their way, by kind.
            odd: number of lines among `not_relevant` that are nested too deeply.
        """
        chunk = self._chunks[ticket]
        chunk.unrouted -= not_relevant + dead + len(_lines(pending))
        for kind, offsets in pending.items():
            chunk.pending.setdefault(kind, set()).update(offsets)
        self._not_relevant += not_relevant
        self._odd += odd
        self._dead_lettered += dead
        self._advance()

    def pending(self, ticket: Ticket, kind: KindName) -> Collection[int]:
        """Return the offsets of the lines whose record of this kind is not settled.

        The result follows later changes.
        """
        chunk = self._chunks.get(ticket)
        return _NOTHING if chunk is None else chunk.pending.get(kind, _NOTHING)

    def settle(self, ticket: Ticket, kind: KindName, offsets: Iterable[int], *, dead: bool = False) -> set[int]:
        """Book records as acknowledged by the broker, or as dead-lettered.

        Returns:
            The offsets that were not settled before.
        """
        settled = set(offsets).intersection(self.pending(ticket, kind))
        if not settled:
            return settled
        chunk = self._chunks[ticket]
        chunk.pending[kind] -= settled
        if dead:
            chunk.dead |= settled
        else:
            self.records_delivered[kind] += len(settled)
            if self._on_delivered is not None:
                for offset in sorted(settled):
                    self._on_delivered(offset)
        done = settled.difference(*chunk.pending.values())
        dead_lines = len(done & chunk.dead)
        self._dead_lettered += dead_lines
        self._delivered += len(done) - dead_lines
        self._advance()
        return settled

    def _merge_settled(self) -> None:
        """Merge settled neighbouring chunks of the same file into the last one.

        One record that waits for days can hold up very many settled chunks.
        """
        kept: dict[Ticket, _OpenChunk] = {}
        for ticket, chunk in self._chunks.items():
            if kept and chunk.is_settled:
                before = next(reversed(kept.values()))
                if before.is_settled and before.end.file == chunk.end.file:
                    kept.popitem()
            kept[ticket] = chunk
        self._chunks = kept
        self._crowded_at = 2 * len(kept) + CROWDED_CHUNKS

    def _next_ticket(self) -> Ticket:
        self._last_ticket = Ticket(self._last_ticket + 1)
        return self._last_ticket

    def _advance(self) -> None:
        while self._chunks:
            oldest = next(iter(self._chunks))
            if not self._chunks[oldest].is_settled:
                return
            self.acked_through = self._chunks.pop(oldest).end
            self._on_settled(self.acked_through)


def _lines(pending: Mapping[KindName, Collection[int]]) -> set[int]:
    """Return the offsets of all lines.

    A line with two records counts once.
    """
    return set().union(*pending.values())
