"""Several sides measured in turn, and what can be said about the ratio of two."""

import sys
from math import comb
from statistics import median

from bench import report
from bench.measuring import Series

RUNS_FOR_INTERVAL = 5
ALLOWED_BY_CHANCE = 0.05


def in_turn(name, runs, sides):
    """Run each side so often, in turn, so that whatever slows the machine down slows all. The sides begin alternately.

    `sides` maps a name to a function that does one run and returns its figures. Returns a Series for each.
    """
    series = {side: Series() for side in sides}
    for number in range(runs):
        for side in reversed(sides) if number % 2 else sides:
            print(f"{name}: {side}, run {number + 1} of {runs}", file=sys.stderr)
            series[side].add(**sides[side]())
    return series


def compare(title, series):
    """Print medians and spreads, and the first side's ratio to each of the others; returns all that as data."""
    (_, ours), *others = series.items()
    result = {side: each.values for side, each in series.items()}
    rows = []
    for figure, values in ours.values.items():
        row = {"what": figure}
        for side, each in series.items():
            row |= {side: report.number(each.median(figure)), f"{side}, from to": "-".join(map(report.number, each.spread(figure)))}
        for side, each in others:
            known = ratio(values, each.values[figure])
            result.setdefault("ratios", {}).setdefault(side, {})[figure] = known
            row |= _ratio_cells(side, known)
        rows.append(row)
    report.table(title, rows)
    return result


def ratio(ours, theirs):
    """Return the ratio of the medians and, with enough runs, the interval that has the true one with a confidence of 95 %.

    The interval is that of Mann and Whitney: it lies between two of the ratios of each of our runs to each of theirs. It supposes nothing
    about how the figures are distributed. None where something is 0.
    """
    if min(*ours, *theirs) <= 0:
        return None
    known = {"ratio": median(ours) / median(theirs)}
    if min(len(ours), len(theirs)) >= RUNS_FOR_INTERVAL:
        ratios = sorted(our / their for our in ours for their in theirs)
        rank = interval_rank(len(ours), len(theirs))
        low, high = ratios[rank - 1], ratios[-rank]
        known |= {"low": low, "high": high, "within_noise": low <= 1 <= high}
    return known


def interval_rank(ours, theirs):
    """Return which of the sorted ratios bounds the interval, counted from each end, given the numbers of runs."""
    orders = [1] + [0] * (ours * theirs)  # how many orders of all runs have so many pairs in which ours is the larger one
    for size in range(1, ours + 1):
        for index in range(len(orders) - 1, theirs + size - 1, -1):
            orders[index] -= orders[index - theirs - size]
        for index in range(size, len(orders)):
            orders[index] += orders[index - size]
    allowed, rank = ALLOWED_BY_CHANCE / 2 * comb(ours + theirs, ours), 0
    while sum(orders[: rank + 1]) <= allowed:
        rank += 1
    return rank


def _ratio_cells(side, known):
    """Say `-` where there is no ratio."""
    if known is None:
        return {f"ratio to {side}": "-", "95 % interval": "-", "noise": "-"}
    shown = {f"ratio to {side}": f"{known['ratio']:.3f}"}
    if "low" not in known:
        return shown | {"95 % interval": f"needs {RUNS_FOR_INTERVAL} runs", "noise": "?"}
    return shown | {"95 % interval": f"{known['low']:.3f}-{known['high']:.3f}", "noise": "within" if known["within_noise"] else "BEYOND"}
