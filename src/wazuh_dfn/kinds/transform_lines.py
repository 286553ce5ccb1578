"""Transforms alert lines into the JSON values of records (`wazuh-dfn transform`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from wazuh_dfn.kinds import record
from wazuh_dfn.kinds.selection import Selection
from wazuh_dfn.lines.torn import AlertsOnLine, alerts_on
from wazuh_dfn.messages import LINE_LIMIT_BYTES


@dataclass(slots=True)
class TransformCounts:
    """What became of the lines.

    A torn line counts as the lines that it should have been.
    """

    lines: int = 0
    records: int = 0
    not_relevant: int = 0
    unreadable: int = 0


def transform(
    source: BinaryIO, sink: BinaryIO, selection: Selection, on_unreadable: Callable[[int, str], None], now: Callable[[], datetime]
) -> TransformCounts:
    """Write the values of the records to `sink`, one per line.

    Memory is bounded by the line limit, whatever the size of `source`.

    Args:
        source: alert lines, as in alerts.json.
        sink: receives the records.
        selection: decides what is relevant.
        on_unreadable: called with the number of the line (from 1) and the reason.
        now: clock for alerts without a timestamp.
    """
    counts = TransformCounts()
    for number, line in enumerate(_bounded_lines(source), start=1):
        if not line.strip():
            counts.lines += 1
            counts.not_relevant += 1
            continue
        alerts = _within_limit(line)
        counts.lines += alerts.lines
        if alerts.outline is not None and not selection.kinds(alerts.outline):
            counts.not_relevant += 1
        elif alerts.problem is not None:
            counts.unreadable += 1
            on_unreadable(number, alerts.problem)
        for _, alert in alerts.whole:
            kinds = selection.kinds(alert)
            sink.writelines(record.build(kind, alert, now()) + b"\n" for kind in kinds)
            counts.records += len(kinds)
            counts.not_relevant += not kinds
    return counts


def _bounded_lines(source: BinaryIO) -> Iterator[bytes]:
    """Yield each line.

    A line over the limit is cut to one byte more than the limit.
    """
    while line := source.readline(LINE_LIMIT_BYTES + 1):
        rest = line
        while len(rest) == LINE_LIMIT_BYTES + 1 and not rest.endswith(b"\n"):
            rest = source.readline(LINE_LIMIT_BYTES + 1)
        yield line


def _within_limit(line: bytes) -> AlertsOnLine:
    if len(line) > LINE_LIMIT_BYTES:
        return AlertsOnLine((), f"longer than {LINE_LIMIT_BYTES // 2**20} MiB")
    return alerts_on(line)
