"""Comparing what a consumer reads with what was written."""

from collections import Counter

from support.corpus import arrived


def lost_and_repeated(corpus, records):
    """Return (numbers of relevant lines that never arrived, how many records came more than once)."""
    lost, repeated = [], 0
    for kind, numbers in (("windows", corpus.windows), ("fail2ban", corpus.fail2ban)):
        counts = Counter(arrived(records, kind))
        lost += [number for number in numbers if not counts[number]]
        repeated += sum(count - 1 for count in counts.values())
    return lost, repeated
