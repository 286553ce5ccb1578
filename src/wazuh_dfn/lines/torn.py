"""The alerts on a line: one as a rule, several where a writer crashed before the end of one, and its successor went on behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, starmap
from typing import Any

from wazuh_dfn.errors import MalformedLineError, TooDeepError
from wazuh_dfn.lines.candidates import ALERT_START, occurrences
from wazuh_dfn.lines.parse import parse_alert


@dataclass(frozen=True, slots=True)
class AlertsOnLine:
    """The alerts that stand whole on a line, each with the span of its bytes in it, and what is wrong with the rest if there is one."""

    whole: tuple[tuple[slice, dict[str, Any]], ...]
    problem: str | None = None
    """In one line; it quotes nothing of the alert."""
    outline: dict[str, Any] | None = None
    """Of an alert that is nested too deeply to be sent: what tells whether it would be."""

    @property
    def lines(self) -> int:
        """What the line counts for: a torn one is as many as it should have been."""
        return len(self.whole) + (self.problem is not None)


def alerts_on(line: bytes) -> AlertsOnLine:
    """Read a line, as `parse_alert` does; one that is torn is taken apart."""
    try:
        return AlertsOnLine(((slice(0, len(line)), parse_alert(line)),))
    except MalformedLineError as error:
        return alerts_on_torn(line, error)


def alerts_on_torn(line: bytes, error: MalformedLineError) -> AlertsOnLine:
    """Take a line apart on which `parse_alert` has failed with this error.

    Each alert reaches from a `{"timestamp"`, as Wazuh begins alerts, to the next one or to the end. One that holds such an object in
    itself is not found: the line stands in the dead letters then.
    """
    if isinstance(error, TooDeepError):
        return AlertsOnLine((), str(error), error.outline)
    whole, has_rest = _take_apart(line)
    saved = f"; alerts that stand whole on it were forwarded: {len(whole)}" if whole else ""
    return AlertsOnLine(whole, f"{error}{saved}" if has_rest else None)


def _take_apart(line: bytes) -> tuple[tuple[tuple[slice, dict[str, Any]], ...], bool]:
    """Return the whole alerts, and whether there is more on the line."""
    spans = list(alert_spans(line))
    alerts = []
    for span in spans:
        try:
            alerts.append((span, parse_alert(line[span])))
        except MalformedLineError:
            continue
    return tuple(alerts), not spans or spans[0].start > 0 or len(alerts) < len(spans)


def alert_spans(line: bytes) -> Iterator[slice]:
    """Give the places where alerts may stand on a torn line."""
    return starmap(slice, pairwise([*occurrences(line, ALERT_START), len(line)]))
