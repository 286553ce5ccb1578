"""Restart policy: when a failed child is restarted, after which delay, and when to give up."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from random import Random
from typing import Literal

Restart = Literal["permanent", "transient", "temporary"]
"""OTP restart types: restart always, only after a failure, or never."""

RETRY_JITTER = 0.3
"""`jitter` for repeated attempts to reach a remote peer."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential delay between restarts or other attempts.

    All times are in seconds. `jitter` (0 to 1) is the random share of the delay. After a run of `stable_after_seconds`, a child starts at
    `initial_seconds` again. With the defaults, eleven failures in a row take at most 27 s, so the default intensity can be exceeded.
    """

    initial_seconds: float = 0.1
    max_seconds: float = 5.0
    factor: float = 2.0
    jitter: float = 0.5
    stable_after_seconds: float = 30.0

    def delay_seconds(self, failures: int, random: Random) -> float:
        """Return the delay in seconds after the `failures`-th failure in a row, counted from 1."""
        exponent = min(failures - 1, 64)
        full = min(self.max_seconds, self.initial_seconds * self.factor**exponent)
        return full * (1 - self.jitter * random.random())


@dataclass(frozen=True, slots=True)
class Intensity:
    """OTP restart intensity: give up at *more than* `max_restarts` within `window_seconds`, over all children."""

    max_restarts: int = 10
    window_seconds: float = 60.0


class RestartCounter:
    """Counts the failures of all children of one supervisor against its intensity."""

    def __init__(self, intensity: Intensity) -> None:
        self._intensity = intensity
        self._times: deque[float] = deque()

    def exceeded_by_failure_at(self, now: float) -> bool:
        """Count a failure at `now` and return whether the intensity is exceeded.

        Args:
            now: seconds on the event loop's clock.
        """
        self._times.append(now)
        while self._times[0] <= now - self._intensity.window_seconds:
            self._times.popleft()
        return len(self._times) > self._intensity.max_restarts

    def forgive(self, failures: int) -> None:
        """Remove the last `failures` from the count."""
        for _ in range(min(failures, len(self._times))):
            self._times.pop()
