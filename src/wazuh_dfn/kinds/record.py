"""The value of a Kafka record (kinds/CONTRACT.md, "Records")."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wazuh_dfn.kinds.kind import Content, Kind
from wazuh_dfn.lines.values import json_bytes


def build(kind: Kind, alert: Content, now: datetime) -> bytes:
    """Return the record of an alert as one JSON object in UTF-8.

    Never raises for an alert from `parse_alert`.

    Args:
        kind: the kind, which determines the format.
        alert: an alert that the `Selection` selects for that kind. Whatever is missing or unreadable in it is empty in the record.
        now: the time of reading, which replaces a missing timestamp. A naive time counts as local.
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
    """Return a time as Wazuh writes it, with milliseconds and in the local zone: `2024-01-01T00:01:00.000+0000`."""
    local = moment.astimezone()
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03d}{local:%z}"


def _timestamp(given: object, now: datetime) -> object:
    """Return the given timestamp if it is a non-empty string or a number, otherwise the time of reading."""
    if isinstance(given, str) and given.strip():
        return given
    if isinstance(given, int | float) and not isinstance(given, bool):
        return given
    return wazuh_time(now)
