"""How the feedback to Wazuh stands; written by FeedbackActor and its queue, read by those who report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import structlog

from wazuh_dfn.errors import WazuhUnavailableError

type FeedbackState = Literal["off", "not connected", "connected", "absent", "unavailable"]
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class FeedbackStatus:
    """State and counts of messages since the start of this process; `sent` includes those that only greet."""

    state: FeedbackState = "off"
    reason: str = ""
    sent: int = 0
    dropped: int = 0

    def connected(self) -> None:
        """Wazuh has taken the first message."""
        if self.state != "connected":
            log.info("feedback: Wazuh is told what is delivered")
        self.state, self.reason = "connected", ""

    def failed(self, error: WazuhUnavailableError) -> None:
        """Wazuh can't be told; a reason is logged once, not at each attempt."""
        if error.reason != self.reason:
            say = log.info if error.is_absent else log.warning
            say("feedback: Wazuh can't be told, which delays nothing; it is tried again", reason=error.reason)
        self.state, self.reason = "absent" if error.is_absent else "unavailable", error.reason
