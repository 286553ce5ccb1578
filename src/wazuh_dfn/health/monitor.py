"""The monitor: logs statistics at intervals, adds to the history, and checks the accounting identity."""

from __future__ import annotations

from typing import Any

import anyio
import structlog

from wazuh_dfn.delivery.ledger import Accounting
from wazuh_dfn.health.observe import Observed
from wazuh_dfn.health.report import HealthReport
from wazuh_dfn.supervision.lifeline import Lifeline

log = structlog.get_logger(__name__)


class Monitor:
    """Logs the statistics every `interval_seconds`."""

    def __init__(self, observed: Observed, interval_seconds: float) -> None:
        self._observed = observed
        self._interval_seconds = interval_seconds
        self._last: tuple[float, Accounting] = (anyio.current_time(), observed.ledger.accounting)

    async def run(self, lifeline: Lifeline[None]) -> None:
        """Run until asked to stop."""
        lifeline.started()
        next_report = next_point = anyio.current_time()
        next_report += self._interval_seconds
        while not lifeline.stopping.is_set():
            if anyio.current_time() >= next_point:
                next_point = anyio.current_time() + self._observed.history.interval_seconds
                self._add_to_history()
            if anyio.current_time() >= next_report:
                next_report = anyio.current_time() + self._interval_seconds
                self._check_accounting()
                self._observed.kafka.certificates.look(self._observed.now())
                rates = self._rates()
                log.info("statistics", **log_fields(await self._observed.report(), rates))
            lifeline.progress()
            with anyio.move_on_at(min(next_point, next_report)):
                await lifeline.stopping.wait()
        self._check_accounting()

    def _check_accounting(self) -> None:
        counts = self._observed.ledger.accounting
        if not counts.is_balanced:
            log.critical("the accounting does not add up, this is a bug", counts=str(counts))

    def _rates(self) -> dict[str, float]:
        """Return the rates since the last call."""
        now, counts = anyio.current_time(), self._observed.ledger.accounting
        then, before = self._last
        self._last = (now, counts)
        seconds = max(now - then, 1e-9)
        return {
            "lines_per_second": round((counts.lines_read - before.lines_read) / seconds, 1),
            "delivered_per_second": round((counts.delivered - before.delivered) / seconds, 1),
        }

    def _add_to_history(self) -> None:
        observed = self._observed
        observed.history.add(observed.ledger.accounting, at=anyio.current_time(), when=observed.moment())


def log_fields(report: HealthReport, rates: dict[str, float] | None = None) -> dict[str, Any]:
    """Return the fields of the statistics log line: the report's figures, flattened, and the rates if given."""
    delivery, feedback = report.delivery, report.feedback
    return {
        **report.counts.model_dump(),
        **(rates or {}),
        "mailboxes": {box.name: f"{box.depth}/{box.capacity}" for box in report.mailboxes},
        **_reading(report),
        "producer": delivery.state,
        "producer_problem": delivery.problem,
        "seconds_since_acknowledgement": delivery.seconds_since_acknowledgement,
        "delay_seconds_median": delivery.delay_seconds_median,
        "delay_seconds_p95": delivery.delay_seconds_p95,
        "feedback": feedback.state,
        "feedback_problem": feedback.problem,
        "feedback_sent": feedback.sent,
        "feedback_dropped": feedback.dropped,
        "dead_letters_kept": report.dead_letters.kept,
        "dead_letters_removed": report.dead_letters.removed,
        "restarts": {actor.name: actor.restarts for actor in report.actors if actor.restarts},
        "resident_mib": None if report.resident_bytes is None else round(report.resident_bytes / 2**20, 1),
    }


def _reading(report: HealthReport) -> dict[str, Any]:
    if report.reading.file is None:
        return {"file": None, "problems": list(report.reading.problems)}
    return report.reading.model_dump(include={"file", "read_to", "acked_through", "lag_bytes", "unnamed_bytes"})
