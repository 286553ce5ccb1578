"""What follows from the figures of one report, or of two."""

from __future__ import annotations

from wazuh_dfn.health.report import HealthReport, RatePoint


def unsaved_bytes(report: HealthReport) -> int | None:
    """How far the checkpoint is behind what is settled; None if that is not known, or if they are in different files."""
    return _difference(report.reading.acked_through, report.checkpoint.saved_offset)


def unsettled_bytes(report: HealthReport) -> int | None:
    """What was read but is not settled; None if that is not known, or if they are in different files."""
    reading = report.reading
    if reading.acked_through_file not in {None, reading.file}:
        return None
    return _difference(reading.read_to, reading.acked_through)


def rates_between(before: HealthReport, after: HealthReport) -> RatePoint | None:
    """Rates from one report to the next; None if no time has passed, or if the daemon was restarted in between."""
    seconds = after.uptime_seconds - before.uptime_seconds
    if seconds <= 0 or after.counts.lines_read < before.counts.lines_read:
        return None
    then, now = before.counts, after.counts
    return RatePoint(
        at=after.time,
        lines_read=(now.lines_read - then.lines_read) / seconds,
        delivered=(now.delivered - then.delivered) / seconds,
        dead_lettered=(now.dead_lettered - then.dead_lettered) / seconds,
    )


def _difference(later: int | None, earlier: int | None) -> int | None:
    return None if later is None or earlier is None or later < earlier else later - earlier
