"""Numbers, sizes and durations as text. None is shown as a dash."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

_NOTHING = "-"
_KIBI = 1024
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_LEVELS = "▁▂▃▄▅▆▇█"
_CELLS = 8


def told_bytes(value: int | None) -> str:
    """Return a size such as `1.50 MiB`, below 1 KiB in bytes."""
    if value is None:
        return _NOTHING
    size = float(value)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < _KIBI:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.3g} {unit}"  # noqa: PLR2004 - three digits are enough
        size /= _KIBI
    return f"{size:.1f} TiB"


def told_duration(seconds: float | None) -> str:
    """Return a duration such as `12 ms`, `0.4 s`, `12 s` or `3 d 4 h`.

    Below 0.1 s it is in milliseconds and below 10 s in tenths of a second. Above that, it has up to two units.
    """
    if seconds is None:
        return _NOTHING
    if 0 < seconds < 0.0995:  # noqa: PLR2004 - what rounds to less than a tenth
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:  # noqa: PLR2004 - what rounds to less than ten
        return f"{max(seconds, 0):.1f} s"
    rest = round(seconds)
    parts = []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        parts.append((count, unit))
    first = next(place for place, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)


def told_rate(per_second: float) -> str:
    """Return a rate such as `37.3/s`, with three significant digits below 100 per second and without decimals above."""
    return f"{per_second:,.0f}/s" if per_second >= 100 else f"{per_second:.3g}/s"  # noqa: PLR2004 - three digits are enough


def printable(text: str) -> str:
    """Return the text with all non-printable characters, such as terminal control sequences, as escapes."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def sparkline(values: Sequence[float], width: int) -> str:
    """Return at most `width` block characters, each as high as the mean of its values relative to the highest value.

    `values` must not be empty.
    """
    count = min(width, len(values))
    bounds = [round(place * len(values) / count) for place in range(count + 1)]
    highest = max(values) or 1
    means = (fmean(values[start:end]) for start, end in pairwise(bounds))
    return "".join(_LEVELS[min(int(mean / highest * len(_LEVELS)), len(_LEVELS) - 1)] for mean in means)


def bar(filled: int, capacity: int) -> str:
    """Return eight cells, filled in proportion, and at least one if `filled` is not 0."""
    cells = min(_CELLS, -(-_CELLS * filled // capacity))
    return "█" * cells + "░" * (_CELLS - cells)
