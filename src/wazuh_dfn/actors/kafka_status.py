"""How the delivery to the broker stands; written by KafkaActor, read by Monitor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import anyio
import structlog

from wazuh_dfn.errors import BrokerUnavailableError

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class KafkaStatus:
    """Times are in seconds of the event loop's clock."""

    state: Literal["not connected", "connected", "unavailable"] = "not connected"
    reason: str = ""
    since: float = 0.0
    last_acknowledgement: float | None = None
    failures_in_a_row: int = 0
    contacted: anyio.Event = field(default_factory=anyio.Event)
    """Set when the broker was tried for the first time, successfully or not."""

    def connected(self) -> None:
        """The producer is connected; whether it can write, the first acknowledgement shows."""
        self.contacted.set()
        if self.state == "not connected":
            self._become("connected", "")
            log.info("connected to the broker")

    def reached(self) -> None:
        """The broker is connected after failures that were all failures to connect: nothing has been sent to it yet."""
        if self.state == "unavailable":
            log.info("broker is back", after_seconds=round(anyio.current_time() - self.since, 1))
            self._become("connected", "")
            self.failures_in_a_row = 0

    def acknowledged(self) -> None:
        """The broker has acknowledged a batch."""
        if self.state == "unavailable":
            log.info("broker is back, delivering again", after_seconds=round(anyio.current_time() - self.since, 1))
        if self.state != "connected":
            self._become("connected", "")
        self.failures_in_a_row = 0
        self.last_acknowledgement = anyio.current_time()

    def failed(self, error: BrokerUnavailableError) -> bool:
        """The broker can't be reached or did not acknowledge; a reason is logged once, not at each attempt. Tells whether it was now."""
        self.contacted.set()
        self.failures_in_a_row += 1
        if self.state != "unavailable":
            self._become("unavailable", "")
        if error.reason == self.reason:
            return False
        self.reason = error.reason
        say = log.error if error.needs_operator else log.warning
        say("broker unavailable, alerts wait in the file", reason=error.reason, needs_operator=error.needs_operator)
        return True

    def _become(self, state: Literal["not connected", "connected", "unavailable"], reason: str) -> None:
        self.state, self.reason, self.since = state, reason, anyio.current_time()
