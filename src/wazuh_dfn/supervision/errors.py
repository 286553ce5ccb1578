"""What supervision raises, under one name."""

from __future__ import annotations


class SupervisionError(Exception):
    """Everything that this package raises on purpose."""


class EndOfMailboxError(SupervisionError):
    """The mailbox was closed and has run empty: the consumer's work is done."""


class MailboxClosedError(SupervisionError):
    """Something was put into a mailbox after it was closed: its producer should have stopped before."""


class UnexpectedExitError(SupervisionError):
    """A permanent child returned although nobody asked it to stop."""


class ChildHungError(SupervisionError):
    """A child showed no progress within its deadline although it had work."""


class ChildStartError(SupervisionError):
    """A child failed before it had started for the first time; the cause is chained. All others were stopped."""

    def __init__(self, child: str) -> None:
        super().__init__(f"{child} failed to start")
        self.child = child


class RestartIntensityExceededError(SupervisionError):
    """More restarts than the intensity allows; the last failure is chained. All children were stopped, last started first."""

    def __init__(self, child: str, max_restarts: int, window_seconds: float) -> None:
        super().__init__(f"more than {max_restarts} restarts within {window_seconds:g} s, the last one of {child}: giving up")
        self.child = child
