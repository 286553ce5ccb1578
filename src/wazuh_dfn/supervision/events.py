"""Lifecycle events: what the supervisor tells its subscribers.

A subscriber is a plain function, called in the event loop. It must return at once and must not raise: an exception in it is a bug
and stops the supervisor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChildStarted:
    """The child called `started()`; `restarts` is 0 for its first start."""

    child: str
    restarts: int


@dataclass(frozen=True, slots=True)
class ChildFailed:
    """The child raised, hung, or returned too early; `delay_seconds` until its restart, None if it stays down."""

    child: str
    error: BaseException
    restarts: int
    delay_seconds: float | None


@dataclass(frozen=True, slots=True)
class ChildFinished:
    """The child is done and will not be started again."""

    child: str


@dataclass(frozen=True, slots=True)
class MessageRedelivered:
    """A message that was in work when its consumer failed is waiting for the successor."""

    mailbox: str
    failures: int


@dataclass(frozen=True, slots=True)
class MessagePoisoned:
    """A message has failed its consumer too often in a row and was taken out (its handler has settled it)."""

    mailbox: str
    failures: int
    error: BaseException


@dataclass(frozen=True, slots=True)
class DrainStarted:
    """An orderly stop has begun; mailboxes have `run_down_seconds` to run empty."""

    run_down_seconds: float


@dataclass(frozen=True, slots=True)
class DrainCutShort:
    """The time to run down was over before this child was done; it was cancelled and what it held stays unsettled."""

    child: str


@dataclass(frozen=True, slots=True)
class Escalated:
    """The supervisor gives up (restart intensity exceeded, or a first start failed): all children are being stopped."""

    error: BaseException


LifecycleEvent = (
    ChildStarted | ChildFailed | ChildFinished | MessageRedelivered | MessagePoisoned | DrainStarted | DrainCutShort | Escalated
)
Subscriber = Callable[[LifecycleEvent], None]
