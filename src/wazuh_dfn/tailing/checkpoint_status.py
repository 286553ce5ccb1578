"""State of the checkpoint, written by Checkpointer and read by the reports."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio
import structlog

from wazuh_dfn.messages import Position
from wazuh_dfn.trouble import Trouble

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class CheckpointStatus:
    """State of the checkpoint.

    `up_to_date_at` is the time of the last save, or of the last check that found it up to date, in seconds of the event loop's clock.
    """

    saved: Position | None = None
    up_to_date_at: float | None = None
    _trouble: Trouble = field(
        default_factory=lambda: Trouble(
            log, "checkpoint can't be written; delivery goes on, a restart would repeat records", "checkpoint can be written again"
        )
    )

    @property
    def problem(self) -> str | None:
        """Why the checkpoint cannot be written, or None if it can."""
        return self._trouble.reason

    def found_up_to_date(self) -> None:
        """Record that nothing has changed since the last save."""
        if self.problem is None:
            self.up_to_date_at = anyio.current_time()

    def was_saved(self, position: Position | None) -> None:
        """Record that the checkpoint was saved.

        `position` is the latest settled position.
        """
        self._trouble.is_over()
        self.saved, self.up_to_date_at = position, anyio.current_time()

    def failed(self, problem: str) -> None:
        """Record that the checkpoint cannot be written.

        A problem is logged once, not at each attempt.
        """
        self._trouble.note(problem)
