"""Folds repeated warnings and errors: the first is logged at once, further ones as one line a minute with their count."""

from __future__ import annotations

import copy
import logging
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

WINDOW_SECONDS = 60.0
MOST_KINDS = 1_000
"""Maximum number of kinds of line that are tracked. Above it, the count of the oldest is logged early."""

_NUMBER = re.compile(r"(?<![\w.:])\d+(?![\w.:])")
"""A number on its own ("at character 17"), not part of an address or a port (192.0.2.1:9092)."""

type _Kind = tuple[str, int, str, str, str]


@dataclass(slots=True)
class _Repetitions:
    """Repetitions of one kind of line since `began`, in seconds of the monotonic clock."""

    began: float
    count: int = 0
    last: logging.LogRecord | None = None


class FoldingHandler(logging.Handler):
    """Handler in front of other handlers that folds repeated lines.

    Lines are the same if logger, level, event, stage and reason are, ignoring numbers in the reason. The line with the count (`repeated`)
    has the other fields (offset, file) of the last repetition. A line with a traceback is never folded. The count is logged when the window
    is over, and at the end.

    Args:
        targets: handlers of the remaining lines, which are closed together with this one.
        window_seconds: time over which repetitions are counted.
    """

    def __init__(self, targets: Sequence[logging.Handler], window_seconds: float = WINDOW_SECONDS) -> None:
        super().__init__()
        self._targets = tuple(targets)
        self._window_seconds = window_seconds
        self._seen: dict[_Kind, _Repetitions] = {}
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the record on, or count it."""
        now = time.monotonic()
        self._tell_expired(now)
        kind = _kind(record)
        if kind is not None and (repetitions := self._seen.get(kind)) is not None:
            repetitions.count += 1
            repetitions.last = record
            self._wake_later(repetitions.began + self._window_seconds - now)
            return
        if kind is not None:
            if len(self._seen) >= MOST_KINDS:
                self._tell(self._seen.pop(next(iter(self._seen))))
            self._seen[kind] = _Repetitions(now)
        self._hand_on(record)

    def flush(self) -> None:
        """Log all pending counts and flush the targets."""
        with self._locked():
            for repetitions in self._seen.values():
                self._tell(repetitions)
            self._seen.clear()
        for target in self._targets:
            target.flush()

    def close(self) -> None:
        """Log all pending counts and close the targets too."""
        if self._timer is not None:
            self._timer.cancel()
        self.flush()
        for target in self._targets:
            target.close()
        super().close()

    def _locked(self) -> threading.RLock:
        assert self.lock is not None, "nobody removes it"
        return self.lock

    def _wake_later(self, seconds: float) -> None:
        """Start a timer that logs the count even if nothing else is logged.

        One timer serves all kinds.
        """
        if self._timer is None:
            self._timer = threading.Timer(seconds, self._wake)
            self._timer.daemon = True
            self._timer.start()

    def _wake(self) -> None:
        with self._locked():
            self._timer = None
            now = time.monotonic()
            self._tell_expired(now)
            counted = [repetitions.began for repetitions in self._seen.values() if repetitions.count]
            if counted:
                self._wake_later(min(counted) + self._window_seconds - now)

    def _tell_expired(self, now: float) -> None:
        while self._seen:
            kind, oldest = next(iter(self._seen.items()))
            if now - oldest.began < self._window_seconds:
                return
            del self._seen[kind]
            if oldest.count:  # it is likely to continue, so the next line of this kind is due in a minute
                self._tell(oldest)
                self._seen[kind] = _Repetitions(now)

    def _tell(self, repetitions: _Repetitions) -> None:
        if repetitions.last is not None:
            self._hand_on(_with_count(repetitions.last, repetitions.count))

    def _hand_on(self, record: logging.LogRecord) -> None:
        for target in self._targets:
            target.handle(record)


def _kind(record: logging.LogRecord) -> _Kind | None:
    """Return the key of lines that count as the same, or None for a line that is not folded."""
    fields = record.msg if isinstance(record.msg, dict) else {}
    if record.levelno < logging.WARNING or record.exc_info or fields.get("exc_info"):
        return None
    event = str(fields["event"]) if "event" in fields else record.getMessage()
    reason = _NUMBER.sub("#", str(fields.get("reason", "")))
    return record.name, record.levelno, event, str(fields.get("stage", "")), reason


def _with_count(record: logging.LogRecord, count: int) -> logging.LogRecord:
    told = copy.copy(record)
    if isinstance(record.msg, dict):
        told.msg = {**record.msg, "repeated": count}
    else:
        told.msg, told.args = f"{record.getMessage()} (repeated {count} times)", ()
    return told
