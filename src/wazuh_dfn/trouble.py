"""A lasting problem, which is logged once until its reason changes, and once when it is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import anyio

type Level = Literal["info", "warning", "error"]


@dataclass(slots=True)
class Trouble:
    """One kind of problem.

    Attributes:
        log: the logger.
        event: log event of the problem.
        over: log event of its end. None if the end is logged elsewhere, or not at all.
        reason: the present reason, or None if there is no problem.
        since: when the problem was noticed, in seconds of the event loop's clock.
    """

    log: Any
    event: str
    over: str | None = None
    reason: str | None = None
    since: float | None = None

    def note(self, reason: str, level: Level = "error", **fields: Any) -> bool:
        """Record the problem with its reason, and return whether it was logged now."""
        if reason == self.reason:
            return False
        if self.since is None:
            self.since = anyio.current_time()
        self.reason = reason
        getattr(self.log, level)(self.event, reason=reason, **fields)
        return True

    def is_over(self, **fields: Any) -> None:
        """Record that there is no problem, or no longer."""
        if self.since is not None and self.over is not None:
            self.log.info(self.over, reason=self.reason, after_seconds=round(anyio.current_time() - self.since, 1), **fields)
        self.reason = self.since = None
