"""How the checkpoint stands; written by Checkpointer, read by those who report."""

from __future__ import annotations

from dataclasses import dataclass

import anyio
import structlog

from wazuh_dfn.messages import Position

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class CheckpointStatus:
    """`up_to_date_at` is when it was last saved, or found to be up to date, in seconds of the event loop's clock."""

    saved: Position | None = None
    up_to_date_at: float | None = None
    problem: str | None = None

    def found_up_to_date(self) -> None:
        """Nothing has changed since it was saved."""
        if self.problem is None:
            self.up_to_date_at = anyio.current_time()

    def was_saved(self, position: Position | None) -> None:
        """It is on the disk; `position` is the latest that is settled."""
        if self.problem is not None:
            log.info("checkpoint can be written again")
        self.saved, self.up_to_date_at, self.problem = position, anyio.current_time(), None

    def failed(self, problem: str) -> None:
        """It can't be written; a problem is logged once, not at each attempt."""
        if problem != self.problem:
            self.problem = problem
            log.error("checkpoint can't be written; delivery goes on, a restart would repeat records", reason=problem)
