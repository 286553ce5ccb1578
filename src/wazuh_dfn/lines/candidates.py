"""Finds the few lines of a chunk that are worth parsing, many times faster than parsing all of them.

The scan searches the whole chunk at once for the bytes without which no line can be selected. It may return too many lines, never too few:
it returns every line that `Selection` selects after `parse_alert`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from wazuh_dfn.byte_search import count, find

ALERT_START = b'{"timestamp"'
"""The beginning of every alert that Wazuh writes."""
_WHITE_SPACE = b" \t\r\v\f"
_OPEN, _CLOSE = b"{}"

_ESCAPE = rb"\u00"
_PRINTABLE = b"234567"
"""First hex digit of the escapes of printable ASCII characters. Such an escape can hide any of the tokens."""


class CandidateScan:
    """Finds the lines that can be relevant, or that look broken.

    Args:
        tokens: one function for each kind of alert. It returns the offsets of the bytes without which no line can be of that kind.
    """

    def __init__(self, tokens: Sequence[Callable[[bytes], Iterator[int]]]) -> None:
        self._of_kinds = tuple(tokens)

    def candidates(self, data: bytes) -> Iterator[tuple[int, int]]:
        r"""Yield the spans of the lines to parse, in the order of the chunk.

        A line looks broken if it does not begin with a brace and end with one, if it closes another number of braces than it opens, if it
        holds NUL bytes, or if another alert seems to begin inside it, as after a crash of the writer.

        Args:
            data: whole lines, each ended by a line feed. The last may lack it.

        Yields:
            `start` and `end` in bytes so that `data[start:end]` is the line without its line feed (but with a carriage return). Blank lines
            are skipped.
        """
        hits = sorted(self._hits(data))
        hits.append(len(data) + 1)  # a sentinel after the last line, so that there always is a next hit
        next_hit = start = 0
        while start < len(data):
            end = data.find(b"\n", start)
            if end < 0:
                end = len(data)
            if hits[next_hit] < end:
                yield start, end
                while hits[next_hit] < end:
                    next_hit += 1
            elif _looks_broken(data, start, end):
                yield start, end
            start = end + 1

    def holds_token(self, data: bytes) -> bool:
        """Return whether the bytes, JSON or not, hold something that could be selected."""
        return next(self._tokens(data), None) is not None

    def _hits(self, data: bytes) -> Iterator[int]:
        """Yield the offsets of everything that makes a line a candidate, in no order."""
        yield from self._tokens(data)
        yield from _inner_alert_starts(data)
        yield from _first_nuls(data)

    def _tokens(self, data: bytes) -> Iterator[int]:
        for of_kind in self._of_kinds:
            yield from of_kind(data)
        for offset in occurrences(data, _ESCAPE):
            if data[offset + len(_ESCAPE) : offset + len(_ESCAPE) + 1] in _PRINTABLE:
                yield offset


def occurrences(data: bytes, token: bytes) -> Iterator[int]:
    """Yield the offsets of all non-overlapping occurrences of a token."""
    offset = find(data, token)
    while offset >= 0:
        yield offset
        offset = find(data, token, offset + len(token))


def _inner_alert_starts(data: bytes) -> Iterator[int]:
    """Yield the offsets at which an alert seems to begin within a line.

    The occurrences are counted first, because there are normally none.
    """
    at_line_starts = count(data, b"\n" + ALERT_START) + data.startswith(ALERT_START)
    if count(data, ALERT_START) > at_line_starts:
        yield from (offset for offset in occurrences(data, ALERT_START) if offset and data[offset - 1] != ord("\n"))


def _first_nuls(data: bytes) -> Iterator[int]:
    """Yield the offset of the first NUL of each line that holds any, because a lost page can have as many as 4,096."""
    offset = find(data, b"\0")
    while offset >= 0:
        yield offset
        end = find(data, b"\n", offset)
        offset = find(data, b"\0", end) if end >= 0 else -1


def _looks_broken(data: bytes, start: int, end: int) -> bool:
    if start == end:
        return False
    if data[start] != _OPEN or data[end - 1] != _CLOSE:
        line = data[start:end].strip(_WHITE_SPACE)
        if not line:
            return False
        if line[0] != _OPEN or line[-1] != _CLOSE:
            return True
    return count(data, b"{", start, end) != count(data, b"}", start, end)
