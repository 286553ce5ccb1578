"""How often a client may ask."""

from __future__ import annotations

MOST_CLIENTS = 10_000


class RateLimit:
    """So many requests of each client in a window of time; the windows of all clients begin together.

    Args:
        requests: of one client in one window.
        window_seconds: how long that is.
    """

    def __init__(self, requests: int, window_seconds: float) -> None:
        self._requests = requests
        self._window_seconds = window_seconds
        self._ends_at = 0.0
        self._counts: dict[str, int] = {}

    def seconds_to_wait(self, client: str, now: float) -> float:
        """Count a request at `now` (seconds of a clock that never goes back); 0 if it may be answered, else the time to the next window.

        More clients than 10,000 in one window have to wait for the next: the memory for them has an end.
        """
        if now >= self._ends_at:
            self._counts.clear()
            self._ends_at = now + self._window_seconds
        if client not in self._counts and len(self._counts) >= MOST_CLIENTS:
            return self._ends_at - now
        self._counts[client] = self._counts.get(client, 0) + 1
        return 0.0 if self._counts[client] <= self._requests else self._ends_at - now
