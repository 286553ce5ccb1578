"""Calls that block and may hang for ever, outside the event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable

import anyio

_POLL_SECONDS = 0.01


async def in_own_thread[T](work: Callable[[], T]) -> T:
    """Call a blocking function in a thread of its own and return its result.

    After a cancellation the thread is abandoned. It is a daemon thread, because the thread pools of anyio and asyncio would keep the
    process from ending while one of their threads hangs.
    """
    outcome: list[T | BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again below, in the caller's task
            outcome.append(error)

    threading.Thread(target=run, daemon=True).start()
    while not outcome:  # noqa: ASYNC110 - a thread can't set anyio's events
        await anyio.sleep(_POLL_SECONDS)
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]
