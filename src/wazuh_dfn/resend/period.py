"""A part of the alerts by their time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


def parse_time(text: str) -> datetime:
    """Read an ISO 8601 time or date, or one as Wazuh writes it (`2026-01-31T12:00:00.000+0100`); without a zone it is local.

    Raises:
        ValueError: it is none of them.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment if moment.tzinfo is not None else moment.astimezone()
    except OverflowError as error:
        raise ValueError(str(error)) from error


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` on, and before `until`.

    An alert whose time can't be read counts as within: sent once too often does less harm than not at all.
    """

    since: datetime | None = None
    until: datetime | None = None

    def holds(self, alert: Mapping[str, Any]) -> bool:
        """Tell whether an alert is of this time."""
        timestamp = alert.get("timestamp")
        if not isinstance(timestamp, str):
            return True
        try:
            moment = parse_time(timestamp)
        except ValueError:
            return True
        return (self.since is None or moment >= self.since) and (self.until is None or moment < self.until)
