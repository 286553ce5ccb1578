"""The supervisor: start sinks first, restart failed children one for one, drain in order, and give up after too many failures.

It follows the rules of the Erlang/OTP supervisor, on an anyio task group with one cancel scope for each child.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import anyio
from anyio.abc import TaskStatus

from wazuh_dfn.supervision.child import Child, ChildSpec
from wazuh_dfn.supervision.events import DrainCutShort, DrainStarted, Escalated, LifecycleEvent, Subscriber
from wazuh_dfn.supervision.failures import ChildStartError, RestartIntensityExceededError, UnexpectedExitError
from wazuh_dfn.supervision.restart_policy import Intensity, RestartCounter


class Supervisor:
    """Runs children until all are done.

    Must be created in a running event loop.

    Args:
        specs: the children in start order, sinks first and sources last.
        intensity: when to give up.
        drain_timeout_seconds: time limit for an orderly stop as a whole.
        subscribers: called with every lifecycle event.
        random: source of the backoff jitter. A seeded one makes a run repeatable.
    """

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        *,
        intensity: Intensity | None = None,
        drain_timeout_seconds: float = 30.0,
        subscribers: Sequence[Subscriber] = (),
        random: Random | None = None,
    ) -> None:
        self._intensity = intensity or Intensity()
        self._counter = RestartCounter(self._intensity)
        self.drain_timeout_seconds = drain_timeout_seconds
        self._subscribers = tuple(subscribers)
        jitter = random or Random()  # noqa: S311 - jitter needs no secrecy
        self.children = tuple(Child(spec, self, self._publish, jitter) for spec in specs)
        self._failure: Exception | None = None
        self._drain_requested = anyio.Event()
        self._normal_life = anyio.CancelScope()

    @property
    def is_draining(self) -> bool:
        """Whether an orderly stop was requested, or all children have finished."""
        return self._drain_requested.is_set()

    def drain(self) -> None:
        """Request an orderly stop: sources stop first, and each mailbox runs empty before its consumer stops."""
        self._drain_requested.set()

    def overdue(self) -> tuple[str, ...]:
        """Return the names of the hung children that could not be stopped long after their deadline.

        A restart cannot help them.
        """
        return tuple(child.spec.name for child in self.children if child.is_overdue)

    def may_restart(self, child: Child, error: BaseException) -> bool:
        """See `FailureJudge`."""
        failure: Exception
        if self._failure is not None:
            return False
        if not child.spec.significant:
            return child.spec.restart != "temporary"
        if not child.ready.is_set():
            failure = ChildStartError(child.spec.name)
        elif child.spec.restart == "temporary":
            return False
        elif self._counter.exceeded_by_failure_at(anyio.current_time()):
            failure = RestartIntensityExceededError(child.spec.name, self._intensity.max_restarts, self._intensity.window_seconds)
        else:
            return True
        failure.__cause__ = error
        self._failure = failure
        self._publish(Escalated(failure))
        self._normal_life.cancel()
        return False

    def forgive(self, failures: int) -> None:
        """See `FailureJudge`."""
        self._counter.forgive(failures)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Start all children and run until all are done.

        `task_status` is signalled when all significant children have started or finished. Cancellation stops all children at once.

        Raises:
            ChildStartError: a first start failed.
            RestartIntensityExceededError: too many restarts.
            UnexpectedExitError: something other than this supervisor cancelled a child, which ended all others.
        """
        try:
            await self._run_children(task_status)
        finally:
            for child in self.children:
                if child.spec.inbox is not None:
                    child.spec.inbox.dispose()
        if self._failure is not None:
            raise self._failure
        if not self.is_draining:
            raise UnexpectedExitError("all children ended although nobody asked them to: something cancelled one of them")

    async def _run_children(self, task_status: TaskStatus[None]) -> None:
        async with anyio.create_task_group() as tasks:
            with self._normal_life:
                for child in self.children:
                    tasks.start_soon(child.run, name=child.spec.name)
                    if child.spec.significant:
                        await _first_of(child.ready, child.finished)
                tasks.start_soon(self._drain_when_all_finished)
                task_status.started()
                await self._drain_requested.wait()
                await self._drain()
            await self._stop_all()

    async def _drain(self) -> None:
        reserved_seconds = sum(child.spec.shutdown_timeout_seconds for child in self.children)
        run_down_seconds = max(self.drain_timeout_seconds / 2, self.drain_timeout_seconds - reserved_seconds)
        deadline = anyio.current_time() + run_down_seconds
        self._publish(DrainStarted(run_down_seconds))
        for child in reversed(self.children):
            child.request_stop()
            with anyio.move_on_at(_stop_deadline(child.spec, deadline)):
                await child.finished.wait()
            if not child.finished.is_set():
                self._publish(DrainCutShort(child.spec.name))
                child.cancel()
                await child.finished.wait()

    async def _stop_all(self) -> None:
        for child in reversed(self.children):
            child.cancel()
            if child.has_begun:
                await child.finished.wait()

    async def _drain_when_all_finished(self) -> None:
        for child in self.children:
            await child.finished.wait()
        self.drain()

    def _publish(self, event: LifecycleEvent) -> None:
        for subscriber in self._subscribers:
            subscriber(event)


def _stop_deadline(spec: ChildSpec, run_down_deadline: float) -> float:
    """Return the time until which an orderly stop waits for a child.

    All times are on the event loop's clock.
    """
    until = anyio.current_time() + spec.shutdown_timeout_seconds
    if not spec.significant:
        return until
    return run_down_deadline if spec.inbox is not None else max(run_down_deadline, until)


async def _first_of(*events: anyio.Event) -> None:
    async with anyio.create_task_group() as tasks:

        async def wait(event: anyio.Event) -> None:
            await event.wait()
            tasks.cancel_scope.cancel()

        for event in events:
            tasks.start_soon(wait, event)
