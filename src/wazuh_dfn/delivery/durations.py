"""Histograms of durations: buckets since the start, and quantiles over the last minutes."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

SLOT_SECONDS = 15.0
RECENT_SLOTS = 20
"""Number of slots that count as recent, including the present one: up to 5 minutes."""

DELAY_BOUNDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 43_200, 86_400, 259_200, 604_800)
"""From a tenth of a second to a week, in seconds, because alerts wait in the file while the broker is unavailable."""

BATCH_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Time that a broker takes for a batch, in seconds."""


@dataclass(slots=True)
class _Slot:
    number: int
    counts: list[int]
    longest: float = 0.0


class Durations:
    """A histogram in constant memory.

    Args:
        bounds: rising upper bounds of the buckets in seconds, each inclusive. One more bucket follows the last bound.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        """Count of each bucket since the start, not cumulative."""
        self.sum_seconds = 0.0
        self._recent: deque[_Slot] = deque(maxlen=RECENT_SLOTS)

    def add(self, seconds: Iterable[float], at: float) -> None:
        """Add durations that ended at the time `at`, in seconds of a clock that never goes back."""
        counts, slot = self.counts, self._slot(int(at / SLOT_SECONDS))
        for each in seconds:
            bucket = bisect_left(self.bounds, each)
            counts[bucket] += 1
            slot.counts[bucket] += 1
            slot.longest = max(slot.longest, each)
            self.sum_seconds += each

    def recent_quantiles(self, at: float, *shares: float) -> Iterator[float | None]:
        """Yield the quantile in seconds for each share (0 to 1) over the last minutes, or None if there was nothing.

        A quantile never exceeds the longest duration, because every bucket bound above it is lowered to it.
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
    """Return the quantile for a `share` (0 to 1) as Prometheus does, with values evenly spread in each bucket.

    Return None if there are no values. Values above the last bound count as the last bound.
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
