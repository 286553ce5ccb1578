"""A time range of alerts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


def parse_time(text: str) -> datetime:
    """Parse an ISO 8601 time or date, or a time as Wazuh writes it (`2026-01-31T12:00:00.000+0100`).

    Without a zone it is local.

    Raises:
        ValueError: the text is none of these.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment if moment.tzinfo is not None else moment.astimezone()
    except OverflowError as error:
        raise ValueError(str(error)) from error


@dataclass(frozen=True, slots=True)
class Period:
    """The time from `since` on and before `until`.

    An alert whose time cannot be read counts as within, because sending it needlessly is less harmful than not sending it.
    """

    since: datetime | None = None
    until: datetime | None = None

    def holds(self, alert: Mapping[str, Any]) -> bool:
        """Return whether an alert is from this time."""
        timestamp = alert.get("timestamp")
        if not isinstance(timestamp, str):
            return True
        try:
            moment = parse_time(timestamp)
        except ValueError:
            return True
        return (self.since is None or moment >= self.since) and (self.until is None or moment < self.until)
