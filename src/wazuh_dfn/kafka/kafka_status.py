"""How the delivery to the broker stands; written by KafkaActor, read by those who report."""

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
    """Times are in seconds of the event loop's clock. An outage counts from when the first delivery began that was not acknowledged."""

    state: KafkaState = "not connected"
    fault: Fault | None = None
    """Why it is unavailable."""
    since: float = 0.0
    waiting_since: float | None = None
    """Since when something is to be delivered and nothing was acknowledged."""
    last_acknowledgement: float | None = None
    failures_in_a_row: int = 0
    contacted: anyio.Event = field(default_factory=anyio.Event)
    """Set when the broker was tried for the first time, successfully or not."""
    certificates: Certificates = field(default_factory=Certificates)
    now: Callable[[], float] = time
    """The clock on the wall, which alerts have their timestamps from."""
    batches: Durations = field(default_factory=lambda: Durations(BATCH_BOUNDS))
    """How long the broker took for each batch that it acknowledged."""
    delays: Durations = field(default_factory=lambda: Durations(DELAY_BOUNDS))
    """From an alert's own timestamp to the acknowledgement of its record; one that lies in the future counts as 0."""

    _trouble: Trouble = field(default_factory=lambda: Trouble(log, "broker unavailable, alerts wait in the file"))

    @property
    def reason(self) -> str:
        """The fault in one line, or nothing."""
        return self.fault.text if self.fault is not None else ""

    def begins(self) -> None:
        """A delivery begins, or is tried again."""
        if self.waiting_since is None:
            self.waiting_since = anyio.current_time()

    def connected(self) -> None:
        """The producer is connected; whether it can write, the first acknowledgement shows."""
        self.contacted.set()
        if self.state == "not connected":
            self._become("connected")
            log.info("connected to the broker")

    def reached(self) -> None:
        """The broker is connected after failures that were all failures to connect: nothing has been sent to it yet."""
        if self.state == "unavailable":
            log.info("broker is back", after_seconds=round(anyio.current_time() - self.since, 1))
            self._become("connected")
            self.failures_in_a_row = 0

    def acknowledged(self, batch_seconds: float, alert_times: Iterable[float | None]) -> None:
        """The broker has acknowledged a batch of alerts of these times after so many seconds."""
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
        """The broker can't be reached or did not acknowledge; a fault is logged once, not at each attempt. Tells whether it was now."""
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
