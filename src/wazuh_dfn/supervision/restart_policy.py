"""When a failed child is started again, how long to wait before, and when to give up."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from random import Random
from typing import Literal

Restart = Literal["permanent", "transient", "temporary"]
"""OTP's restart types: always, only after a failure, never."""

RETRY_JITTER = 0.3
"""The `jitter` of those who try to reach somebody else again and again."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential delay between restarts, or any other attempts, all in seconds.

    `jitter` (0 to 1) is the part of the delay that is random. A child that ran for `stable_after_seconds` starts at `initial_seconds`
    again. With the defaults, eleven failures in a row take at most 27 s, so that the default intensity can be reached.
    """

    initial_seconds: float = 0.1
    max_seconds: float = 5.0
    factor: float = 2.0
    jitter: float = 0.5
    stable_after_seconds: float = 30.0

    def delay_seconds(self, failures: int, random: Random) -> float:
        """Return the delay after the `failures`-th failure in a row (from 1)."""
        exponent = min(failures - 1, 64)
        full = min(self.max_seconds, self.initial_seconds * self.factor**exponent)
        return full * (1 - self.jitter * random.random())


@dataclass(frozen=True, slots=True)
class Intensity:
    """OTP's restart intensity: give up when *more than* `max_restarts` fall within `window_seconds`, over all children."""

    max_restarts: int = 10
    window_seconds: float = 60.0


class RestartCounter:
    """Counts the failures of all children of one supervisor against its intensity."""

    def __init__(self, intensity: Intensity) -> None:
        self._intensity = intensity
        self._times: deque[float] = deque()

    def exceeded_by_failure_at(self, now: float) -> bool:
        """Count a failure at `now` (seconds of the event loop's clock) and tell whether that is one too many."""
        self._times.append(now)
        while self._times[0] <= now - self._intensity.window_seconds:
            self._times.popleft()
        return len(self._times) > self._intensity.max_restarts

    def forgive(self, failures: int) -> None:
        """Forget the last `failures`."""
        for _ in range(min(failures, len(self._times))):
            self._times.pop()
