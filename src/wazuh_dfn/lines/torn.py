"""The alerts on a line: usually one, or several if a writer crashed before the end of one and its successor wrote on after it."""

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
    """The whole alerts on a line, each with the span of its bytes in the line, and what is wrong with the rest, if anything."""

    whole: tuple[tuple[slice, dict[str, Any]], ...]
    problem: str | None = None
    """One line of text that quotes nothing of the alert."""
    outline: dict[str, Any] | None = None
    """For an alert that is nested too deeply to be sent: the part that decides whether it would be selected."""

    @property
    def lines(self) -> int:
        """Number of lines that this line counts for.

        A torn line counts as the lines that it should have been.
        """
        return len(self.whole) + (self.problem is not None)


def alerts_on(line: bytes) -> AlertsOnLine:
    """Read a line as `parse_alert` does, and split it if it is torn."""
    try:
        return AlertsOnLine(((slice(0, len(line)), parse_alert(line)),))
    except MalformedLineError as error:
        return alerts_on_torn(line, error)


def alerts_on_torn(line: bytes, error: MalformedLineError) -> AlertsOnLine:
    """Split a line on which `parse_alert` has failed with this error.

    Each alert reaches from a `{"timestamp"`, which begins every alert of Wazuh, to the next one or to the end. An alert that contains such
    an object is not found, and its line is kept in the dead letters.
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
    """Yield the spans in which alerts may be found on a torn line."""
    return starmap(slice, pairwise([*occurrences(line, ALERT_START), len(line)]))
