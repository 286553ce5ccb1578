"""How the checkpoint stands; written by Checkpointer, read by those who report."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio
import structlog

from wazuh_dfn.messages import Position
from wazuh_dfn.trouble import Trouble

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class CheckpointStatus:
    """`up_to_date_at` is when it was last saved, or found to be up to date, in seconds of the event loop's clock."""

    saved: Position | None = None
    up_to_date_at: float | None = None
    _trouble: Trouble = field(
        default_factory=lambda: Trouble(
            log, "checkpoint can't be written; delivery goes on, a restart would repeat records", "checkpoint can be written again"
        )
    )

    @property
    def problem(self) -> str | None:
        """Why it can't be written."""
        return self._trouble.reason

    def found_up_to_date(self) -> None:
        """Nothing has changed since it was saved."""
        if self.problem is None:
            self.up_to_date_at = anyio.current_time()

    def was_saved(self, position: Position | None) -> None:
        """It is on the disk; `position` is the latest that is settled."""
        self._trouble.is_over()
        self.saved, self.up_to_date_at = position, anyio.current_time()

    def failed(self, problem: str) -> None:
        """It can't be written; a problem is logged once, not at each attempt."""
        self._trouble.note(problem)
