"""Several alerts on one line: a writer that crashed left one without its end, and its successor went on behind it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from wazuh_dfn.errors import MalformedLineError
from wazuh_dfn.formats.candidates import ALERT_START, occurrences
from wazuh_dfn.formats.parse import parse_alert


@dataclass(frozen=True, slots=True)
class TornLine:
    """What stands on a line that is no JSON object.

    `alerts` are those that stand whole on it, each with the span of its bytes in the line; `has_rest` tells whether there is more.
    """

    alerts: tuple[tuple[slice, dict[str, Any]], ...]
    has_rest: bool


def take_apart(line: bytes) -> TornLine:
    """Find the whole alerts on a line: each reaches from a `{"timestamp"`, as Wazuh begins alerts, to the next one or to the end.

    An alert that holds such an object in itself is not found, if the line is torn: the line stands in the dead letters then.
    """
    starts = list(occurrences(line, ALERT_START))
    alerts = []
    for start, end in pairwise([*starts, len(line)]):
        try:
            alerts.append((slice(start, end), parse_alert(line[start:end])))
        except MalformedLineError:
            continue
    return TornLine(tuple(alerts), has_rest=not starts or starts[0] > 0 or len(alerts) < len(starts))
