"""Watches all others: a log line every so often, and the accounting identity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
import structlog

from wazuh_dfn.actors.kafka_status import KafkaStatus
from wazuh_dfn.actors.reading import ReadingPlace
from wazuh_dfn.delivery.ledger import Accounting, Ledger
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
            log.error(
                "actor failed", actor=event.child, cause=repr(event.error), restart_in_seconds=event.delay_seconds, exc_info=event.error
            )
        else:
            log.debug("lifecycle", event_type=type(event).__name__, details=str(event))


@dataclass(frozen=True, slots=True)
class Watched:
    """What the monitor looks at."""

    ledger: Ledger
    place: ReadingPlace
    kafka: KafkaStatus
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
        while not lifeline.stopping.is_set():
            with anyio.move_on_after(self._interval_seconds):
                await lifeline.stopping.wait()
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
            "restarts": dict(watched.restarts),
            "resident_mib": round(watched.resident_bytes() / 2**20, 1),
        }

    async def _reading(self) -> dict[str, Any]:
        place, acked = self._watched.place, self._watched.ledger.acked_through
        if place.file is None:
            return {"file": None, "problems": list(place.problems)}
        lag_bytes = max(0, await place.file.size() - place.offset)
        return {
            "file": place.file.path,
            "read_to": place.offset,
            "acked_through": acked.offset if acked is not None else None,
            "lag_bytes": lag_bytes,
        }

    def _producer(self, now: float) -> dict[str, Any]:
        kafka = self._watched.kafka
        since_ack = None if kafka.last_acknowledgement is None else round(now - kafka.last_acknowledgement, 1)
        return {"producer": kafka.state, "producer_problem": kafka.reason or None, "seconds_since_acknowledgement": since_ack}
