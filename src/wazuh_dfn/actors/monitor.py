"""Watches all others: a log line every so often, and the accounting identity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
import structlog

from wazuh_dfn.actors.kafka_status import KafkaStatus
from wazuh_dfn.actors.reading import ReadingPlace
from wazuh_dfn.delivery.feedback_status import FeedbackStatus
from wazuh_dfn.delivery.ledger import Accounting, Ledger
from wazuh_dfn.errors import in_brief
from wazuh_dfn.supervision.events import ChildFailed, LifecycleEvent
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.supervision.mailbox import Mailbox

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class RestartLog:
    """Subscribes to the supervisor: counts each child's failures, and logs them with their cause."""

    failures: dict[str, int] = field(default_factory=dict)

    def __call__(self, event: LifecycleEvent) -> None:
        """Take note of a lifecycle event."""
        if isinstance(event, ChildFailed):
            self.failures[event.child] = self.failures.get(event.child, 0) + 1
            log.error("actor failed", actor=event.child, cause=in_brief(event.error), restart_in_seconds=event.delay_seconds)
            log.debug("traceback of the failure", actor=event.child, exc_info=event.error)
        else:
            log.debug("lifecycle", event_type=type(event).__name__, details=str(event))


@dataclass(frozen=True, slots=True)
class Watched:
    """What the monitor looks at."""

    ledger: Ledger
    place: ReadingPlace
    kafka: KafkaStatus
    feedback: FeedbackStatus
    mailboxes: Sequence[Mailbox[Any]]
    restarts: Mapping[str, int]
    resident_bytes: Callable[[], int]


class Monitor:
    """Reports every `interval_seconds`, and once more at the end."""

    def __init__(self, watched: Watched, interval_seconds: float) -> None:
        self._watched = watched
        self._interval_seconds = interval_seconds
        self._last: tuple[float, Accounting] = (anyio.current_time(), watched.ledger.accounting)

    async def run(self, lifeline: Lifeline[None]) -> None:
        """Report until asked to stop."""
        lifeline.started()
        is_last = False
        while not is_last:
            with anyio.move_on_after(self._interval_seconds):
                await lifeline.stopping.wait()
            is_last = lifeline.stopping.is_set()
            log.info("statistics", **await self.report())
            lifeline.progress()

    async def report(self) -> dict[str, Any]:
        """Return the figures as of now; rates are those since the last report."""
        watched = self._watched
        now, counts = anyio.current_time(), watched.ledger.accounting
        then, before = self._last
        self._last = (now, counts)
        seconds = max(now - then, 1e-9)
        if not counts.is_balanced:
            log.critical("the accounting does not add up, this is a bug", counts=str(counts))
        return {
            "lines_read": counts.lines_read,
            "not_relevant": counts.not_relevant,
            "delivered": counts.delivered,
            "dead_lettered": counts.dead_lettered,
            "in_flight": counts.in_flight,
            "balanced": counts.is_balanced,
            "lines_per_second": round((counts.lines_read - before.lines_read) / seconds, 1),
            "delivered_per_second": round((counts.delivered - before.delivered) / seconds, 1),
            "mailboxes": {mailbox.name: f"{mailbox.depth}/{mailbox.capacity}" for mailbox in watched.mailboxes},
            **await self._reading(),
            **self._producer(now),
            **self._feedback(),
            "restarts": dict(watched.restarts),
            "resident_mib": self._resident_mib(),
        }

    def _resident_mib(self) -> float | None:
        try:
            return round(self._watched.resident_bytes() / 2**20, 1)
        except OSError:  # to look, it needs a file descriptor
            return None

    async def _reading(self) -> dict[str, Any]:
        place, acked = self._watched.place, self._watched.ledger.acked_through
        if place.file is None or place.at is None:
            return {"file": None, "problems": list(place.problems)}
        report: dict[str, Any] = {
            "file": place.file.path,
            "read_to": place.at.offset,
            "acked_through": acked.offset if acked is not None else None,
            "lag_bytes": None,
            "unnamed_bytes": None,
        }
        with suppress(OSError, ValueError):  # the tailer may just be closing it
            report["lag_bytes"] = max(0, await place.file.size() - place.at.offset)
            report["unnamed_bytes"] = await place.file.unnamed_bytes()
        return report

    def _producer(self, now: float) -> dict[str, Any]:
        kafka = self._watched.kafka
        since_ack = None if kafka.last_acknowledgement is None else round(now - kafka.last_acknowledgement, 1)
        return {"producer": kafka.state, "producer_problem": kafka.reason or None, "seconds_since_acknowledgement": since_ack}

    def _feedback(self) -> dict[str, Any]:
        status = self._watched.feedback
        return {
            "feedback": status.state,
            "feedback_problem": status.reason or None,
            "feedback_sent": status.sent,
            "feedback_dropped": status.dropped,
        }
