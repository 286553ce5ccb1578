"""Rate limit per client."""

from __future__ import annotations

MOST_CLIENTS = 10_000


class RateLimit:
    """Fixed-window rate limit. The windows of all clients begin together.

    Args:
        requests: Maximum requests of one client in one window.
        window_seconds: Length of a window.
    """

    def __init__(self, requests: int, window_seconds: float) -> None:
        self._requests = requests
        self._window_seconds = window_seconds
        self._ends_at = 0.0
        self._counts: dict[str, int] = {}

    def seconds_to_wait(self, client: str, now: float) -> float:
        """Count a request and return 0 if it may be answered, otherwise the seconds until the next window.

        `now` is in seconds of a monotonic clock. To bound the memory, clients beyond the first 10,000 of a window have to wait for the next
        one.
        """
        if now >= self._ends_at:
            self._counts.clear()
            self._ends_at = now + self._window_seconds
        if client not in self._counts and len(self._counts) >= MOST_CLIENTS:
            return self._ends_at - now
        self._counts[client] = self._counts.get(client, 0) + 1
        return 0.0 if self._counts[client] <= self._requests else self._ends_at - now
