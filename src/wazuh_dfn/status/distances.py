"""Figures derived from one report, or from two."""

from __future__ import annotations

from wazuh_dfn.health.report import HealthReport, RatePoint


def unsaved_bytes(report: HealthReport) -> int | None:
    """Bytes by which the checkpoint is behind the settled offset.

    None if either offset is unknown, or if the two are in different files.
    """
    acked_file, saved_file = report.reading.acked_through_file or report.reading.file, report.checkpoint.saved_file
    if None not in {acked_file, saved_file} and acked_file != saved_file:
        return None
    return _difference(report.reading.acked_through, report.checkpoint.saved_offset)


def unsettled_bytes(report: HealthReport) -> int | None:
    """Bytes that were read but are not settled. None if unknown, or if the two offsets are in different files."""
    reading = report.reading
    if reading.acked_through_file not in {None, reading.file}:
        return None
    return _difference(reading.read_to, reading.acked_through)


def rates_between(before: HealthReport, after: HealthReport) -> RatePoint | None:
    """Rates between two reports.

    None if the uptime has not grown or `lines_read` has dropped, as after a restart of the daemon.
    """
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
