"""State of the feedback to Wazuh, written by FeedbackActor and its queue and read by the reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import structlog

from wazuh_dfn.errors import WazuhUnavailableError
from wazuh_dfn.trouble import Trouble

type FeedbackState = Literal["off", "not connected", "connected", "absent", "unavailable"]
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class FeedbackStatus:
    """State and message counts since the start of this process.

    `sent` includes greetings.
    """

    state: FeedbackState = "off"
    sent: int = 0
    dropped: int = 0
    _trouble: Trouble = field(default_factory=lambda: Trouble(log, "cannot send feedback to Wazuh, retrying; alerts are unaffected"))

    @property
    def reason(self) -> str | None:
        """Why feedback cannot be sent, or None if it can."""
        return self._trouble.reason

    def connected(self) -> None:
        """Record that Wazuh has accepted the first message."""
        if self.state != "connected":
            log.info("feedback to Wazuh connected")
        self._trouble.is_over()
        self.state = "connected"

    def failed(self, error: WazuhUnavailableError) -> None:
        """Record that feedback cannot be sent.

        A reason is logged once, not at each attempt.
        """
        self._trouble.note(error.reason, "info" if error.is_absent else "warning")
        self.state = "absent" if error.is_absent else "unavailable"
