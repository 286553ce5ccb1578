"""Exceptions of the supervision package, under one base class."""

from __future__ import annotations


class SupervisionError(Exception):
    """Base class of all exceptions that this package raises on purpose."""


class EndOfMailboxError(SupervisionError):
    """The mailbox is closed and empty, so the work of the consumer is done."""


class MailboxClosedError(SupervisionError):
    """A message was put into a closed mailbox, or a permit was used twice.

    The producer should have stopped before the mailbox was closed.
    """


class UnexpectedExitError(SupervisionError):
    """A permanent child returned, or all children ended, without a request to stop."""


class ChildHungError(SupervisionError):
    """A child that had work made no progress within its deadline."""


class ChildStartError(SupervisionError):
    """A child failed before its first successful start.

    All other children were stopped. The cause is chained.
    """

    def __init__(self, child: str) -> None:
        super().__init__(f"{child} failed to start")
        self.child = child


class RestartIntensityExceededError(SupervisionError):
    """More restarts than the intensity allows.

    All children were stopped, the last started first. The last failure is chained.
    """

    def __init__(self, child: str, max_restarts: int, window_seconds: float) -> None:
        super().__init__(f"more than {max_restarts} restarts within {window_seconds:g} s, the last one of {child}: giving up")
        self.child = child
