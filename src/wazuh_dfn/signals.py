"""Runs a supervisor under signals: the first SIGTERM or SIGINT drains it, the second stops it at once, and SIGHUP reloads."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterable

import anyio
import structlog

from wazuh_dfn import exit_codes
from wazuh_dfn.supervision.supervisor import Supervisor

GRACE_SECONDS = 3.0
"""Time beyond the timeout of a stop after which the process is ended from outside the event loop."""
log = structlog.get_logger(__name__)


class StoppedAtOnceError(Exception):
    """A second signal arrived during an orderly stop."""


async def run_supervised(
    supervisor: Supervisor,
    bystanders: Iterable[Callable[[], Awaitable[None]]] = (),
    *,
    on_stop: Callable[[], None] = lambda: None,
    on_reload: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Run a supervisor to its end.

    Args:
        supervisor: drained by the first signal.
        bystanders: run beside it and cancelled when it is done. An exception in one of them stops everything at once and is raised.
        on_stop: called for the first signal.
        on_reload: called for SIGHUP. None leaves that signal alone.

    Raises:
        SupervisionError: the supervisor gave up. The cause is chained.
        StoppedAtOnceError: a second signal arrived.
    """
    failures: list[Exception] = []
    async with anyio.create_task_group() as tasks:

        async def run(part: Callable[[], Awaitable[None]]) -> None:
            try:
                await part()
            except Exception as error:  # noqa: BLE001 - raised again below, outside the task group
                failures.append(error)
                tasks.cancel_scope.cancel()

        async def obey_signals() -> None:
            await _obey_signals(supervisor, on_stop, on_reload)

        for bystander in (obey_signals, *bystanders):
            tasks.start_soon(run, bystander)
        await run(supervisor.run)
        tasks.cancel_scope.cancel()
    if failures:
        raise failures[0]


async def _obey_signals(supervisor: Supervisor, on_stop: Callable[[], None], on_reload: Callable[[], Awaitable[None]] | None) -> None:
    wanted = [signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if on_reload is not None else [])]
    with anyio.open_signal_receiver(*wanted) as signals:
        async for number in signals:
            if number == signal.SIGHUP:
                if on_reload is not None and not supervisor.is_draining:
                    await on_reload()
            elif supervisor.is_draining:
                log.warning("stopping at once: what is not acknowledged yet is sent again at the next start", signal=number.name)
                _end_after(GRACE_SECONDS, exit_codes.STOPPED_AT_ONCE)
                raise StoppedAtOnceError(f"second signal: {number.name}")
            else:
                log.info(
                    "stopping: what was read is delivered first, the rest at the next start; a second signal stops at once",
                    signal=number.name,
                    at_most_seconds=round(supervisor.drain_timeout_seconds, 1),
                )
                supervisor.drain()
                on_stop()
                _end_after(supervisor.drain_timeout_seconds + GRACE_SECONDS, exit_codes.FAILED)


def _end_after(seconds: float, code: int) -> None:
    """End the process after this time if it is still running.

    A thread that hangs in a file system cannot be cancelled and would block the exit for ever. Nothing is lost, because everything that is
    not in the checkpoint is sent again.
    """

    def end() -> None:
        log.critical("shutdown timed out (file system not responding?), forcing exit")
        os._exit(code)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
