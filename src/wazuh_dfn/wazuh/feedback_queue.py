"""What Wazuh is to be told: a bounded queue that never makes its senders wait, and errors, one of a kind a minute."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import anyio
from anyio.lowlevel import checkpoint

from wazuh_dfn.messages import KindName
from wazuh_dfn.wazuh.feedback_status import FeedbackStatus

CAPACITY_BYTES = 2 * 1024 * 1024
ERROR_INTERVAL_SECONDS = 60.0
_NOTE_BYTES = 200
"""What a note takes besides its line."""
_SHORTEST_WAIT_SECONDS = 0.001
"""Less could be lost in the rounding of the clock."""


@dataclass(frozen=True, slots=True)
class DeliveryNote:
    """A record of this kind was acknowledged; `raw` is the line that it was made of."""

    kind: KindName
    raw: bytes
    was_put_back: bool = False


@dataclass(frozen=True, slots=True)
class ErrorNote:
    """Something went wrong `at` this time (seconds of the event loop's clock)."""

    kind: str
    text: str
    at: float
    was_put_back: bool = False


type Note = DeliveryNote | ErrorNote


class FeedbackQueue:
    """Belongs to the pipeline, so that it outlives FeedbackActor. All but `take` return at once and never raise.

    Deliveries that find it full are dropped and counted. Of the errors of a kind the newest is kept, until a minute has passed
    since the last one of its kind was taken. While the status says that feedback is off, nothing is kept and nothing is counted.

    Args:
        status: gets the counts.
        capacity_bytes: how much memory what waits may take.
    """

    def __init__(self, status: FeedbackStatus, capacity_bytes: int = CAPACITY_BYTES) -> None:
        self._status = status
        self._free_bytes = capacity_bytes
        self._deliveries: deque[DeliveryNote] = deque()
        self._errors: dict[str, ErrorNote] = {}
        self._told_at: dict[str, float] = {}
        self._changed = anyio.Event()
        self._is_closed = False

    @property
    def depth(self) -> int:
        """Notes that wait."""
        return len(self._deliveries) + len(self._errors)

    def delivered(self, kind: KindName, raw: bytes) -> None:
        """Tell of a record that was acknowledged."""
        if self._status.state == "off":
            return
        size = len(raw) + _NOTE_BYTES
        if size > self._free_bytes or self._is_closed:
            self._status.dropped += 1
            return
        self._free_bytes -= size
        self._deliveries.append(DeliveryNote(kind, raw))
        self._changed.set()

    def error(self, kind: str, text: str) -> None:
        """Tell of an error; `kind` is one of a few constants."""
        if self._status.state != "off" and not self._is_closed:
            self._errors[kind] = ErrorNote(kind, text, anyio.current_time())
            self._changed.set()

    def close(self) -> None:
        """Take nothing more; `take` gives what is left."""
        self._is_closed = True
        self._changed.set()

    async def take(self) -> Note | None:
        """Wait for the next note and take it out, errors first; None when closed and nothing is left that may be told now."""
        await checkpoint()
        while (note := self.take_nowait()) is None:
            if self._is_closed:
                return None
            self._changed = anyio.Event()
            with anyio.move_on_after(self._seconds_to_next_error()):
                await self._changed.wait()
        return note

    def take_nowait(self) -> Note | None:
        """Take the next note out as `take` does; None if there is none now."""
        return self._take_due_error() or self._take_delivery()

    def put_back(self, note: Note) -> None:
        """Put a note that could not be told before all others, once: the second time it is dropped, so that it can't block them for ever."""
        if note.was_put_back:
            self._status.dropped += 1
        elif isinstance(note, ErrorNote):
            self._told_at.pop(note.kind, None)
            self._errors.setdefault(note.kind, replace(note, was_put_back=True))
        else:
            self._free_bytes -= len(note.raw) + _NOTE_BYTES
            self._deliveries.appendleft(replace(note, was_put_back=True))

    def drop_rest(self) -> None:
        """Give up what is left."""
        self._status.dropped += self.depth
        self._deliveries.clear()
        self._errors.clear()

    def _take_due_error(self) -> ErrorNote | None:
        if not self._errors:
            return None
        now = anyio.current_time()
        for kind in self._errors:
            if self._due_at(kind) <= now:
                self._told_at[kind] = now
                return self._errors.pop(kind)
        return None

    def _take_delivery(self) -> DeliveryNote | None:
        if not self._deliveries:
            return None
        note = self._deliveries.popleft()
        self._free_bytes += len(note.raw) + _NOTE_BYTES
        return note

    def _seconds_to_next_error(self) -> float | None:
        if not self._errors:
            return None
        return max(_SHORTEST_WAIT_SECONDS, min(map(self._due_at, self._errors)) - anyio.current_time())

    def _due_at(self, kind: str) -> float:
        told_at = self._told_at.get(kind)
        return 0.0 if told_at is None else told_at + ERROR_INTERVAL_SECONDS
