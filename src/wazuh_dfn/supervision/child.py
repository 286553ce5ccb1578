"""One child: run it, watch it, and restart it after a failure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

import anyio

from wazuh_dfn.supervision.events import ChildFailed, ChildFinished, ChildStarted, MessagePoisoned, MessageRedelivered, Subscriber
from wazuh_dfn.supervision.failures import ChildHungError, UnexpectedExitError
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.supervision.mailbox import Mailbox
from wazuh_dfn.supervision.restart_policy import Backoff, Restart

SHORTEST_SLEEP_SECONDS = 0.001
"""Lower bound of a sleep. A shorter one could vanish in clock rounding, and a virtual clock would never advance."""

OVERDUE_SECONDS = 30.0
"""Time after its progress deadline at which a hung child that is still running counts as overdue."""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How a child is started, restarted and stopped.

    Args:
        name: name in events and statistics.
        body: called at each start and must call `lifeline.started()`. Its own state is lost when it fails, its inbox is kept.
        restart: OTP restart type.
        inbox: mailbox that the child consumes. None for a source or a bystander.
        backoff: delays between restarts.
        progress_deadline_seconds: maximum time without progress while there is work, after which the child counts as hung. None: no limit.
        shutdown_timeout_seconds: time for cleanup when a drain is cut short.
        significant: whether failures of this child can end the supervisor. Failures of an insignificant child are not counted, and a
            failed first start is retried too. No other start waits for it. During an orderly stop, the supervisor waits at most
            `shutdown_timeout_seconds` for it and does not restart it.
    """

    name: str
    body: Callable[[Lifeline[Any]], Awaitable[None]]
    restart: Restart = "permanent"
    inbox: Mailbox[Any] | None = None
    backoff: Backoff = field(default_factory=Backoff)
    progress_deadline_seconds: float | None = None
    shutdown_timeout_seconds: float = 1.0
    significant: bool = True


class FailureJudge(Protocol):
    """The part of the supervisor that children use."""

    def may_restart(self, child: Child, error: BaseException) -> bool:
        """Count a failure and return whether the child may be restarted.

        A child may not be restarted if it is temporary, if this failure ends the supervisor, or if the supervisor has already failed.
        """

    def forgive(self, failures: int) -> None:
        """Remove the last `failures` from the count, because their cause is gone."""


class Child:
    """A supervised child, across all its restarts."""

    def __init__(self, spec: ChildSpec, judge: FailureJudge, publish: Subscriber, random: Random) -> None:
        self.spec = spec
        self.restarts = 0
        self.ready = anyio.Event()
        """Set at the first successful start."""
        self.finished = anyio.Event()
        self.has_begun = False
        self._judge = judge
        self._publish = publish
        self._random = random
        self._failures_in_a_row = 0
        self._messages_done_at_burial = -1
        self._lifeline: Lifeline[Any] | None = None
        self._scope = anyio.CancelScope()
        self._all_lives = anyio.CancelScope()
        self._is_stopping = False

    @property
    def is_alive(self) -> bool:
        """Whether the body is running now, as opposed to waiting for its next start or being done."""
        return self._lifeline is not None

    @property
    def silent_seconds(self) -> float:
        """Seconds of work without progress.

        It is 0 while the child waits or is down, and always for a child without a progress deadline.
        """
        return 0.0 if self._lifeline is None or self.spec.progress_deadline_seconds is None else self._lifeline.silent_seconds()

    @property
    def is_overdue(self) -> bool:
        """Whether the child is hung and could not be stopped."""
        deadline_seconds = self.spec.progress_deadline_seconds
        return deadline_seconds is not None and self.silent_seconds >= deadline_seconds + OVERDUE_SECONDS

    def request_stop(self) -> None:
        """Ask the child to finish after it has processed its inbox."""
        self._is_stopping = True
        if self.spec.inbox is not None:
            self.spec.inbox.close()
        if self._lifeline is not None:
            self._lifeline.stopping.set()
        elif not self.spec.significant:
            self.cancel()

    def cancel(self) -> None:
        """Stop the child now and leave the messages that it is processing unsettled."""
        self._all_lives.cancel()

    async def run(self) -> None:
        """Run the child through all its restarts until it is done or cancelled.

        Failures of the body are published and not raised. Only a cancellation from outside passes through.
        """
        self.has_begun = True
        try:
            with self._all_lives:
                await self._live_on()
        except BaseExceptionGroup as group:
            failures, cancellation = group.split(Exception)
            if failures is not None:  # a failure during cancellation: nothing is left to restart
                self._publish(ChildFailed(self.spec.name, _only_one(failures), self.restarts, None))
            if cancellation is not None:
                raise cancellation from None
        finally:
            self.finished.set()
            self._publish(ChildFinished(self.spec.name))

    async def _live_on(self) -> None:
        while (error := await self._live()) is not None:
            delay_seconds = self._fail(error)
            if delay_seconds is None:
                return
            await anyio.sleep(delay_seconds)
            self.restarts += 1

    async def _live(self) -> BaseException | None:
        """Run the body once and return why it failed, or None if the child is done for good."""
        began = anyio.current_time()
        error: BaseException | None
        try:
            await self._bury_poison()
            error = await self._run_body()
        except Exception as exception:  # noqa: BLE001 - any failure, groups too, is what a supervisor is for
            error = _only_one(exception)
        finally:
            self._lifeline = None
        if anyio.current_time() - began >= self.spec.backoff.stable_after_seconds:
            self._failures_in_a_row = 0
        # a hang is caused by something outside that does not answer, not by the messages
        self._reclaim(None if isinstance(error, ChildHungError) else error)
        if error is None and self.spec.restart == "permanent" and not self._is_stopping:
            error = UnexpectedExitError(f"{self.spec.name} returned although it is permanent")
        return error

    async def _run_body(self) -> BaseException | None:
        lifeline = self._lifeline = Lifeline[Any](self.spec.inbox, self._on_started)
        if self._is_stopping:
            lifeline.stopping.set()
        hung: list[float] = []
        with anyio.CancelScope() as self._scope:
            async with anyio.create_task_group() as watch:
                if self.spec.progress_deadline_seconds is not None:
                    watch.start_soon(self._watch, lifeline, self.spec.progress_deadline_seconds, self._scope, hung)
                await self.spec.body(lifeline)
                watch.cancel_scope.cancel()
        if hung:
            return ChildHungError(f"{self.spec.name} made no progress for {hung[0]:.0f} s")
        return None

    @staticmethod
    async def _watch(lifeline: Lifeline[Any], deadline_seconds: float, scope: anyio.CancelScope, hung: list[float]) -> None:
        while (silent := lifeline.silent_seconds()) < deadline_seconds:  # noqa: ASYNC110 - silence gives no event
            await anyio.sleep(max(deadline_seconds - silent, SHORTEST_SLEEP_SECONDS))
        hung.append(silent)
        scope.cancel()

    def _on_started(self) -> None:
        self.ready.set()
        self._publish(ChildStarted(self.spec.name, self.restarts))

    def _fail(self, error: BaseException) -> float | None:
        """Publish the failure and return the delay in seconds before the next start, or None if there is none."""
        self._failures_in_a_row += 1
        delay_seconds: float | None = self.spec.backoff.delay_seconds(self._failures_in_a_row, self._random)
        is_wanted = self.spec.significant or not self._is_stopping
        if self._all_lives.cancel_called or not is_wanted or not self._judge.may_restart(self, error):
            delay_seconds = None
        self._publish(ChildFailed(self.spec.name, error, self.restarts, delay_seconds))
        return delay_seconds

    def _reclaim(self, error: BaseException | None) -> None:
        if self.spec.inbox is not None:
            for failures in self.spec.inbox.reclaim(error):
                self._publish(MessageRedelivered(self.spec.inbox.name, failures))

    async def _bury_poison(self) -> None:
        if self.spec.inbox is not None:
            for failures, error in await self.spec.inbox.bury_poison():
                # without a message done since the last burial, the child itself is broken, not one message after the other
                is_one_of_many = self.spec.inbox.messages_done != self._messages_done_at_burial
                if self.spec.significant and is_one_of_many:
                    self._judge.forgive(failures)
                self._messages_done_at_burial = self.spec.inbox.messages_done
                self._publish(MessagePoisoned(self.spec.inbox.name, failures, error))


def _only_one(error: BaseException) -> BaseException:
    """Unwrap a single exception from the exception groups that task groups put around it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
