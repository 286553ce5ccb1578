"""The interface between a child and its supervisor: inbox, progress reports, and the request to stop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import anyio

from wazuh_dfn.supervision.failures import EndOfMailboxError
from wazuh_dfn.supervision.mailbox import Lease, Mailbox, Permit


class Lifeline[T]:
    """Passed to the child's body at each start.

    Time spent waiting through it, for messages or for room, never counts as hanging.
    """

    def __init__(self, inbox: Mailbox[T] | None, on_started: Callable[[], None]) -> None:
        self.stopping = anyio.Event()
        """Set when the child is asked to finish. A child with an inbox may ignore it and stop at the end of the mailbox."""
        self._inbox = inbox
        self._on_started = on_started
        self._has_started = False
        self._waiting_for: list[str] = []
        self._last_progress = anyio.current_time()

    @property
    def inbox(self) -> Mailbox[T]:
        """Mailbox of the child."""
        if self._inbox is None:
            raise TypeError("this child has no inbox")
        return self._inbox

    @property
    def waiting_for(self) -> str | None:
        """Reason for which the child waits without counting as hung, or None while it works."""
        return self._waiting_for[-1] if self._waiting_for else None

    def started(self) -> None:
        """Report that the child is ready, so that the supervisor starts the next one."""
        self.progress()
        if not self._has_started:
            self._has_started = True
            self._on_started()

    def progress(self) -> None:
        """Report progress, which restarts the progress deadline."""
        self._last_progress = anyio.current_time()

    @contextmanager
    def waiting(self, reason: str) -> Iterator[None]:
        """Suspend the progress deadline during a wait for something outside that may never end."""
        self._waiting_for.append(reason)
        try:
            yield
        finally:
            self._waiting_for.remove(reason)
            self.progress()

    async def receive(self) -> Lease[T]:
        """Wait for the next message (see `Mailbox.receive`)."""
        with self.waiting("messages"):
            return await self.inbox.receive()

    async def messages(self) -> AsyncGenerator[Lease[T]]:
        """Yield messages until the mailbox is closed and empty."""
        with suppress(EndOfMailboxError):
            while True:
                lease = await self.receive()
                yield lease

    def reserve[U](self, mailbox: Mailbox[U]) -> Permit[U]:
        """Wait for a slot in another child's mailbox (see `Mailbox.reserve`)."""
        return mailbox.reserve(self.waiting(f"room in {mailbox.name}"))

    @asynccontextmanager
    async def until_stopping(self) -> AsyncIterator[None]:
        """Cancel the block when the child is asked to finish, and continue after it."""
        async with anyio.create_task_group() as tasks:

            async def end() -> None:
                await self.stopping.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(end)
            yield
            tasks.cancel_scope.cancel()

    def silent_seconds(self) -> float:
        """Return the seconds since the last progress.

        It is 0 during a declared wait, and for a started child whose inbox is empty.
        """
        idle = self._has_started and self._inbox is not None and self._inbox.depth == 0
        return 0.0 if self._waiting_for or idle else anyio.current_time() - self._last_progress
