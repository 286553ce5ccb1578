"""Failures of the actors: a subscriber of the supervisor that counts them, keeps the last one, and logs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import time

import structlog

from wazuh_dfn.errors import in_brief
from wazuh_dfn.supervision.events import ChildFailed, LifecycleEvent

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LastFailure:
    """The cause in brief, without alert content, and its time in seconds since the epoch."""

    cause: str
    at: float


@dataclass(slots=True)
class RestartLog:
    """Counts the failures of each child by its name."""

    now: Callable[[], float] = time
    failures: dict[str, int] = field(default_factory=dict)
    last: dict[str, LastFailure] = field(default_factory=dict)

    def __call__(self, event: LifecycleEvent) -> None:
        """Record a lifecycle event."""
        if isinstance(event, ChildFailed):
            cause = in_brief(event.error)
            self.failures[event.child] = self.failures.get(event.child, 0) + 1
            self.last[event.child] = LastFailure(cause, self.now())
            log.error("actor failed", actor=event.child, cause=cause, restart_in_seconds=event.delay_seconds)
            log.debug("traceback of the failure", actor=event.child, exc_info=event.error)
        else:
            log.debug("lifecycle", event_type=type(event).__name__, details=str(event))
