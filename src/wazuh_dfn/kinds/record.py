"""The value of a Kafka record (kinds/CONTRACT.md, "Records")."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wazuh_dfn.kinds.kind import Content, Kind
from wazuh_dfn.lines.values import json_bytes


def build(kind: Kind, alert: Content, now: datetime) -> bytes:
    """Return the record of an alert as one JSON object in UTF-8; never raises for an alert that `parse_alert` returned.

    Args:
        kind: in which format.
        alert: one that the `Selection` selects for that kind. Whatever is missing or unreadable in it is empty in the record.
        now: the time of reading, which stands in for a missing timestamp (a naive one counts as local time).
    """
    fields: dict[str, Any] = {
        "timestamp": _timestamp(alert.get("timestamp"), now),
        "event_forward": True,
        "event_format": kind.event_format,
        "event_parser": "wazuh",
        "event_source": "soc-agent",
    }
    return json_bytes(fields | kind.fields(alert))


def wazuh_time(moment: datetime) -> str:
    """Return a time as Wazuh writes it, in milliseconds and the local zone: `2024-01-01T00:01:00.000+0000`."""
    local = moment.astimezone()
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03d}{local:%z}"


def _timestamp(given: object, now: datetime) -> object:
    """A text or a number stays as it is; for anything else, and for an empty text, the time of reading says more."""
    if isinstance(given, str) and given.strip():
        return given
    if isinstance(given, int | float) and not isinstance(given, bool):
        return given
    return wazuh_time(now)
