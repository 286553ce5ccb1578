"""History of rates, each averaged over the time since the previous point."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime

from wazuh_dfn.delivery.ledger import Accounting
from wazuh_dfn.health.report import RatePoint

SHORTEST_INTERVAL_SECONDS = 10.0


class RateHistory:
    """Points for the last `retention_seconds`, at most `max_points` (at least 2). With fewer points, each covers a longer time."""

    def __init__(self, retention_seconds: float, max_points: int) -> None:
        self.interval_seconds = max(SHORTEST_INTERVAL_SECONDS, retention_seconds / max_points)
        """Interval in seconds at which to call `add`."""
        self._retention_seconds = retention_seconds
        self._points: deque[tuple[float, RatePoint]] = deque(maxlen=max_points)
        self._last: tuple[float, Accounting] | None = None

    def add(self, counts: Accounting, *, at: float, when: datetime) -> None:
        """Add a point for the time since the previous call. The first call adds none.

        Args:
            counts: The counts at that time.
            at: Seconds of a monotonic clock.
            when: The same time as a date, for display.
        """
        last, self._last = self._last, (at, counts)
        if last is None or at <= last[0]:
            return
        seconds, before = at - last[0], last[1]
        point = RatePoint(
            at=when,
            lines_read=round((counts.lines_read - before.lines_read) / seconds, 2),
            delivered=round((counts.delivered - before.delivered) / seconds, 2),
            dead_lettered=round((counts.dead_lettered - before.dead_lettered) / seconds, 2),
        )
        self._points.append((at, point))

    def points(self, at: float) -> Iterable[RatePoint]:
        """Return the points within the retention time before `at`, oldest first."""
        return (point for time, point in self._points if time > at - self._retention_seconds)
