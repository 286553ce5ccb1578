"""Notes for Wazuh: a bounded queue that never blocks its senders and limits errors to one of each kind per minute."""

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
"""Memory that a note takes besides its line."""
_SHORTEST_WAIT_SECONDS = 0.001
"""Lower bound of a wait. A shorter one could vanish in clock rounding."""


@dataclass(frozen=True, slots=True)
class DeliveryNote:
    """A record of this kind was acknowledged.

    `raw` is the line that it was made of.
    """

    kind: KindName
    raw: bytes
    was_put_back: bool = False


@dataclass(frozen=True, slots=True)
class ErrorNote:
    """An error occurred at the time `at`, in seconds of the event loop's clock."""

    kind: str
    text: str
    at: float
    was_put_back: bool = False


type Note = DeliveryNote | ErrorNote


class FeedbackQueue:
    """Notes that wait to be sent.

    All methods but `take` return at once and never raise. The queue belongs to the pipeline, so that it survives FeedbackActor. A delivery
    that finds it full or closed is dropped and counted. For each kind of error the newest is kept until a minute has passed since the last
    one of its kind was taken. While the status says that feedback is off, nothing is kept or counted.

    Args:
        status: holds the counts.
        capacity_bytes: maximum memory of the waiting deliveries.
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
        """Number of waiting notes."""
        return len(self._deliveries) + len(self._errors)

    def delivered(self, kind: KindName, raw: bytes) -> None:
        """Add a note of a record that was acknowledged."""
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
        """Add a note of an error.

        `kind` is one of a few constants.
        """
        if self._status.state != "off" and not self._is_closed:
            self._errors[kind] = ErrorNote(kind, text, anyio.current_time())
            self._changed.set()

    def close(self) -> None:
        """Accept no more notes.

        `take` returns the rest.
        """
        self._is_closed = True
        self._changed.set()

    async def take(self) -> Note | None:
        """Wait for the next note and remove it, errors first.

        Return None if the queue is closed and holds nothing that may be sent now.
        """
        await checkpoint()
        while (note := self.take_nowait()) is None:
            if self._is_closed:
                return None
            self._changed = anyio.Event()
            with anyio.move_on_after(self._seconds_to_next_error()):
                await self._changed.wait()
        return note

    def take_nowait(self) -> Note | None:
        """Remove the next note as `take` does.

        Return None if there is none now.
        """
        return self._take_due_error() or self._take_delivery()

    def put_back(self, note: Note) -> None:
        """Put back a note that could not be sent, ahead of the others.

        It is dropped the second time, so that it cannot block the others for ever. A newer error of the same kind replaces it.
        """
        if note.was_put_back:
            self._status.dropped += 1
        elif isinstance(note, ErrorNote):
            self._told_at.pop(note.kind, None)
            self._errors.setdefault(note.kind, replace(note, was_put_back=True))
        else:
            self._free_bytes -= len(note.raw) + _NOTE_BYTES
            self._deliveries.appendleft(replace(note, was_put_back=True))

    def drop_rest(self) -> None:
        """Drop and count the rest."""
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
