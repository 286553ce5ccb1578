"""Comparing what a consumer reads with what was written."""

from bisect import bisect
from collections import Counter

from support.corpus import arrived, number_of


def lost_and_repeated(corpus, records):
    """Return (numbers of relevant lines that never arrived, how many records came more than once)."""
    lost, repeated = [], 0
    for kind, numbers in (("windows", corpus.windows), ("fail2ban", corpus.fail2ban)):
        counts = Counter(arrived(records, kind))
        lost += [number for number in numbers if not counts[number]]
        repeated += sum(count - 1 for count in counts.values())
    return lost, repeated


def repeated_in_each_life(timed_records, begun):
    """Return for each life how many of its records one before it had sent already.

    `timed_records` is what `read_all_with_times` returns, `begun` when each life began, in seconds since the epoch.
    """
    seen, repeated = set(), [0] * len(begun)
    for _, _, value, sent in sorted(timed_records, key=lambda record: record[3]):
        number = number_of(value)
        if number in seen:
            repeated[max(0, bisect(begun, sent) - 1)] += 1
        seen.add(number)
    return repeated
