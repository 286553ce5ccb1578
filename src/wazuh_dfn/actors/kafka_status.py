"""How the delivery to the broker stands; written by KafkaActor, read by Monitor."""

from __future__ import annotations

from dataclasses import dataclass
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

    def connected(self) -> None:
        """The producer is connected; whether it can write, the first acknowledgement shows."""
        if self.state == "not connected":
            self._become("connected", "")
            log.info("connected to the broker")

    def acknowledged(self) -> None:
        """The broker has acknowledged a batch."""
        if self.state == "unavailable":
            log.info("broker is back, delivering again", after_seconds=round(anyio.current_time() - self.since, 1))
        if self.state != "connected":
            self._become("connected", "")
        self.failures_in_a_row = 0
        self.last_acknowledgement = anyio.current_time()

    def failed(self, error: BrokerUnavailableError) -> None:
        """The broker can't be reached or did not acknowledge; a reason is logged once, not at each attempt."""
        self.failures_in_a_row += 1
        if self.state != "unavailable":
            self._become("unavailable", "")
        if error.reason != self.reason:
            self.reason = error.reason
            say = log.error if error.needs_operator else log.warning
            say("broker unavailable, alerts wait in the file", reason=error.reason, needs_operator=error.needs_operator)

    def _become(self, state: Literal["not connected", "connected", "unavailable"], reason: str) -> None:
        self.state, self.reason, self.since = state, reason, anyio.current_time()
