"""When an alert was made, by its own timestamp."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any


def alert_time(alert: Mapping[str, Any]) -> float | None:
    """Return the timestamp (`2024-01-01T00:01:00.000+0000`) in seconds since the epoch; None if it has none with a time zone."""
    given = alert.get("timestamp")
    if not isinstance(given, str):
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment.timestamp()
