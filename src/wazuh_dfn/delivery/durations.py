"""How long something takes: counted in buckets since the start, and over the last minutes for a median."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

SLOT_SECONDS = 15.0
RECENT_SLOTS = 20
"""Recent are the present slot and those before it: up to 5 minutes."""

DELAY_BOUNDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 43_200, 86_400, 259_200, 604_800)
"""From a tenth of a second to a week, in seconds: alerts wait in the file for as long as the broker is away."""

BATCH_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""What a broker takes for a batch, in seconds."""


@dataclass(slots=True)
class _Slot:
    number: int
    counts: list[int]
    longest: float = 0.0


class Durations:
    """A histogram in constant memory.

    Args:
        bounds: the upper bounds of its buckets in seconds, rising, each inclusive; above the last there is one bucket more.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        """Of each bucket since the start, not cumulative."""
        self.sum_seconds = 0.0
        self._recent: deque[_Slot] = deque(maxlen=RECENT_SLOTS)

    def add(self, seconds: Iterable[float], at: float) -> None:
        """Count some that ended `at` this time (seconds of a clock that never goes back)."""
        counts, slot = self.counts, self._slot(int(at / SLOT_SECONDS))
        for each in seconds:
            bucket = bisect_left(self.bounds, each)
            counts[bucket] += 1
            slot.counts[bucket] += 1
            slot.longest = max(slot.longest, each)
            self.sum_seconds += each

    def recent_quantiles(self, at: float, *shares: float) -> Iterator[float | None]:
        """Yield for each share (0 to 1) below how many seconds it was in the last minutes; None if there was nothing.

        It is never more than what took longest: the bucket that holds that is filled up to there alone.
        """
        oldest = int(at / SLOT_SECONDS) - RECENT_SLOTS
        slots = [slot for slot in self._recent if slot.number > oldest]
        longest = max((slot.longest for slot in slots), default=0.0)
        counts = [sum(each) for each in zip(*(slot.counts for slot in slots), strict=True)]
        for share in shares:
            yield quantile([min(bound, longest) for bound in self.bounds], counts, share)

    def _slot(self, number: int) -> _Slot:
        if not self._recent or self._recent[-1].number != number:
            self._recent.append(_Slot(number, [0] * len(self.counts)))
        return self._recent[-1]


def quantile(bounds: Sequence[float], counts: Sequence[int], share: float) -> float | None:
    """Return, as Prometheus would, the value below which the `share` (0 to 1) lies, taking each bucket for evenly filled; None of nothing.

    What lies above the last bound counts as the last bound.
    """
    rank = share * sum(counts)
    if rank == 0:
        return None
    lower = 0.0
    for upper, count in zip(bounds, counts, strict=False):
        if count >= rank:
            return min(upper, lower + (upper - lower) * rank / count)  # rounding
        rank -= count
        lower = upper
    return lower
