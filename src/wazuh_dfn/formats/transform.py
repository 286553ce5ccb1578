"""Alert lines in, the records' JSON values out (`wazuh-dfn transform`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from wazuh_dfn.errors import MalformedLineError
from wazuh_dfn.formats import record
from wazuh_dfn.formats.parse import parse_alert
from wazuh_dfn.formats.relevance import Selection
from wazuh_dfn.messages import LINE_LIMIT_BYTES


@dataclass(slots=True)
class TransformCounts:
    """What became of the lines."""

    lines: int = 0
    records: int = 0
    not_relevant: int = 0
    unreadable: int = 0


def transform(
    source: BinaryIO, sink: BinaryIO, selection: Selection, on_unreadable: Callable[[int, str], None], now: Callable[[], datetime]
) -> TransformCounts:
    """Write one record's value a line to `sink`; memory is bounded by the line limit, whatever the size of `source`.

    Args:
        source: alert lines, as in alerts.json.
        sink: gets the records.
        selection: what is relevant.
        on_unreadable: called with the line's number (from 1) and the reason.
        now: for alerts without a timestamp.
    """
    counts = TransformCounts()
    for number, line in enumerate(_bounded_lines(source), start=1):
        counts.lines += 1
        if not line.strip():
            counts.not_relevant += 1
            continue
        try:
            alert = parse_alert(_within_limit(line))
        except MalformedLineError as error:
            counts.unreadable += 1
            on_unreadable(number, str(error))
            continue
        written = 0
        if selection.windows(alert):
            written += sink.write(record.build("windows", alert, now()) + b"\n") > 0
        if selection.fail2ban(alert):
            written += sink.write(record.build("fail2ban", alert, now()) + b"\n") > 0
        counts.records += written
        counts.not_relevant += written == 0
    return counts


def _bounded_lines(source: BinaryIO) -> Iterator[bytes]:
    """Yield each line, of a line over the limit its beginning."""
    while line := source.readline(LINE_LIMIT_BYTES + 1):
        rest = line
        while len(rest) == LINE_LIMIT_BYTES + 1 and not rest.endswith(b"\n"):
            rest = source.readline(LINE_LIMIT_BYTES + 1)
        yield line


def _within_limit(line: bytes) -> bytes:
    if len(line) > LINE_LIMIT_BYTES:
        raise MalformedLineError(f"longer than {LINE_LIMIT_BYTES // 1024} KiB")
    return line
