"""Lifecycle events that the supervisor publishes to its subscribers.

A subscriber is a plain function that is called in the event loop. It must return at once and must not raise. An exception in it is a bug
and stops the supervisor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChildStarted:
    """The child called `started()`.

    `restarts` is 0 for its first start.
    """

    child: str
    restarts: int


@dataclass(frozen=True, slots=True)
class ChildFailed:
    """The child raised, hung, or returned too early.

    `delay_seconds` is the time until its restart, or None if it is not restarted.
    """

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
    """A message whose consumer failed while processing it waits for the next consumer."""

    mailbox: str
    failures: int


@dataclass(frozen=True, slots=True)
class MessagePoisoned:
    """A message failed its consumer too often in a row and was removed after its handler had settled it."""

    mailbox: str
    failures: int
    error: BaseException


@dataclass(frozen=True, slots=True)
class DrainStarted:
    """An orderly stop has begun, and mailboxes have `run_down_seconds` to run empty."""

    run_down_seconds: float


@dataclass(frozen=True, slots=True)
class DrainCutShort:
    """The child was cancelled because it was not done within its time, and its messages stay unsettled."""

    child: str


@dataclass(frozen=True, slots=True)
class Escalated:
    """The supervisor gives up and stops all children.

    The reason is an exceeded restart intensity or a failed first start.
    """

    error: BaseException


LifecycleEvent = (
    ChildStarted | ChildFailed | ChildFinished | MessageRedelivered | MessagePoisoned | DrainStarted | DrainCutShort | Escalated
)
Subscriber = Callable[[LifecycleEvent], None]
