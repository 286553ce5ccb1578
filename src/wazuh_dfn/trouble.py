"""What is wrong for a while: the log says it once until its reason changes, and once when it is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import anyio

type Level = Literal["info", "warning", "error"]


@dataclass(slots=True)
class Trouble:
    """One kind of it.

    Attributes:
        log: says it.
        event: what is wrong.
        over: what is said when it is over; None if somebody else tells.
        reason: why, as long as it is wrong.
        since: when it was noticed, in seconds of the event loop's clock.
    """

    log: Any
    event: str
    over: str | None = None
    reason: str | None = None
    since: float | None = None

    def note(self, reason: str, level: Level = "error", **fields: Any) -> bool:
        """It is wrong, for this reason. Tells whether the log says so now."""
        if reason == self.reason:
            return False
        if self.since is None:
            self.since = anyio.current_time()
        self.reason = reason
        getattr(self.log, level)(self.event, reason=reason, **fields)
        return True

    def is_over(self, **fields: Any) -> None:
        """All is well (again)."""
        if self.since is not None and self.over is not None:
            self.log.info(self.over, reason=self.reason, after_seconds=round(anyio.current_time() - self.since, 1), **fields)
        self.reason = self.since = None
