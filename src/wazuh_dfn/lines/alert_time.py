"""The time of an alert by its own timestamp."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any


def alert_time(alert: Mapping[str, Any]) -> float | None:
    """Return the alert's timestamp in seconds since the epoch, or None if it has no timestamp with a time zone.

    Wazuh writes `2024-01-01T00:01:00.000+0000`.
    """
    given = alert.get("timestamp")
    if not isinstance(given, str):
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment.timestamp()
