"""A health report as one line of key=value pairs, for logs and pipes."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator

from wazuh_dfn.health.report import HealthReport, RatePoint
from wazuh_dfn.status.distances import unsaved_bytes


def as_line(report: HealthReport, rates: RatePoint | None = None) -> str:
    """Return the most important figures. Unknown ones are left out."""
    counts = report.counts
    fields = {
        "time": report.time.isoformat(timespec="seconds"),
        "status": report.status,
        "lines_read": counts.lines_read,
        "not_relevant": counts.not_relevant,
        "delivered": counts.delivered,
        "dead_lettered": counts.dead_lettered,
        "in_flight": counts.in_flight,
        "balanced": counts.balanced,
        "lines_per_second": rates and round(rates.lines_read, 2),
        "delivered_per_second": rates and round(rates.delivered, 2),
        "lag_bytes": report.reading.lag_bytes,
        "checkpoint_behind_bytes": unsaved_bytes(report),
        "delivery": report.delivery.state,
        "delay_seconds_median": report.delivery.delay_seconds_median,
        "restarts": sum(actor.restarts for actor in report.actors),
        "problems": "; ".join(report.problems) or None,
    }
    return " ".join(_pairs(fields))


def as_unknown_line(reason: str) -> str:
    """Return a line that says why there is no report."""
    return " ".join(_pairs({"time": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), "status": "unknown", "problems": reason}))


def _pairs(fields: dict[str, object]) -> Iterator[str]:
    for key, value in fields.items():
        if value is not None:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            yield f"{key}={text if text.isascii() and text.isprintable() and not set(text) & set(' "=') else json.dumps(text)}"
