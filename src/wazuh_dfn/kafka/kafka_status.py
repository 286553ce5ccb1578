"""State of the delivery to the broker, written by KafkaActor and read by the reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import time
from typing import Literal

import anyio
import structlog

from wazuh_dfn.delivery.durations import BATCH_BOUNDS, DELAY_BOUNDS, Durations
from wazuh_dfn.kafka.certificate_expiry import Certificates
from wazuh_dfn.kafka.faults import Fault
from wazuh_dfn.trouble import Level, Trouble

type KafkaState = Literal["not connected", "connected", "unavailable"]
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class KafkaStatus:
    """State of the delivery. Times are in seconds of the event loop's clock unless noted otherwise.

    An outage counts from the start of the first delivery that was not acknowledged.
    """

    state: KafkaState = "not connected"
    fault: Fault | None = None
    """Why the broker is unavailable."""
    since: float = 0.0
    waiting_since: float | None = None
    """Start of the first delivery since the last acknowledgement. None if there was none."""
    last_acknowledgement: float | None = None
    failures_in_a_row: int = 0
    contacted: anyio.Event = field(default_factory=anyio.Event)
    """Set after the first connection attempt, successful or not."""
    certificates: Certificates = field(default_factory=Certificates)
    now: Callable[[], float] = time
    """The wall clock, in seconds since the epoch. Alerts take their timestamps from it."""
    batches: Durations = field(default_factory=lambda: Durations(BATCH_BOUNDS))
    """Time that the broker took for each acknowledged batch."""
    delays: Durations = field(default_factory=lambda: Durations(DELAY_BOUNDS))
    """Time from an alert's own timestamp to the acknowledgement of its record. A timestamp in the future counts as 0."""

    _trouble: Trouble = field(default_factory=lambda: Trouble(log, "broker unavailable, alerts wait in the file"))

    @property
    def reason(self) -> str:
        """The fault in one line, or an empty string."""
        return self.fault.text if self.fault is not None else ""

    def begins(self) -> None:
        """Record that a delivery begins or is retried."""
        if self.waiting_since is None:
            self.waiting_since = anyio.current_time()

    def connected(self) -> None:
        """Record that the producer is connected. Only the first acknowledgement shows whether it can write."""
        self.contacted.set()
        if self.state == "not connected":
            self._become("connected")
            log.info("connected to the broker")

    def reached(self) -> None:
        """Record that the broker is reachable again, without waiting for an acknowledgement."""
        if self.state == "unavailable":
            log.info("broker is back", after_seconds=round(anyio.current_time() - self.since, 1))
            self._become("connected")
            self.failures_in_a_row = 0

    def acknowledged(self, batch_seconds: float, alert_times: Iterable[float | None]) -> None:
        """Record that the broker acknowledged a batch after `batch_seconds`.

        `alert_times` are the timestamps of its alerts in seconds since the epoch, None where unknown.
        """
        if self.state == "unavailable":
            log.info("broker is back, delivering again", after_seconds=round(anyio.current_time() - self.since, 1))
        if self.state != "connected":
            self._become("connected")
        self.failures_in_a_row, self.waiting_since = 0, None
        at = self.last_acknowledgement = anyio.current_time()
        now = self.now()
        self.batches.add((batch_seconds,), at)
        self.delays.add((max(0.0, now - made) for made in alert_times if made is not None), at)

    def failed(self, fault: Fault) -> bool:
        """Record that the broker is unreachable or did not acknowledge, and return whether this was logged.

        A fault is logged once, not at each attempt.
        """
        self.contacted.set()
        self.failures_in_a_row += 1
        if self.state != "unavailable":
            self._become("unavailable")
            self.since = self.since if self.waiting_since is None else self.waiting_since
        self.fault, code = fault, fault.code
        level: Level = "error" if code.needs_operator else "warning"
        return self._trouble.note(fault.text, level, code=code.value, needs_operator=code.needs_operator, remedy=fault.remedy)

    def _become(self, state: KafkaState) -> None:
        self._trouble.is_over()
        self.state, self.fault, self.since = state, None, anyio.current_time()
