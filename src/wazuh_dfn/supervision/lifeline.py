"""What a child holds of its supervisor: its inbox, its signs of life, and the request to stop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import anyio

from wazuh_dfn.supervision.errors import EndOfMailboxError
from wazuh_dfn.supervision.mailbox import Lease, Mailbox, Permit


class Lifeline[T]:
    """Given to the child at each start. Waiting through it (for messages, for room) is never taken for hanging."""

    def __init__(self, inbox: Mailbox[T] | None, on_started: Callable[[], None]) -> None:
        self.stopping = anyio.Event()
        """Set when the child is asked to finish; a child with an inbox may ignore it and go by the end of the mailbox."""
        self._inbox = inbox
        self._on_started = on_started
        self._has_started = False
        self._waiting_for: list[str] = []
        self._last_progress = anyio.current_time()

    @property
    def inbox(self) -> Mailbox[T]:
        """The child's mailbox."""
        if self._inbox is None:
            raise TypeError("this child has no inbox")
        return self._inbox

    @property
    def waiting_for(self) -> str | None:
        """What the child waits for and need not be blamed for; None while it works."""
        return self._waiting_for[-1] if self._waiting_for else None

    def started(self) -> None:
        """Tell that the child is ready: the supervisor goes on to the next."""
        self.progress()
        if not self._has_started:
            self._has_started = True
            self._on_started()

    def progress(self) -> None:
        """Tell that something was achieved; puts the progress deadline off."""
        self._last_progress = anyio.current_time()

    @contextmanager
    def waiting(self, reason: str) -> Iterator[None]:
        """Mark a wait for something outside that may last for ever; the progress deadline is suspended meanwhile."""
        self._waiting_for.append(reason)
        try:
            yield
        finally:
            self._waiting_for.remove(reason)
            self.progress()

    async def receive(self) -> Lease[T]:
        """Wait for the next message; see `Mailbox.receive`."""
        with self.waiting("messages"):
            return await self.inbox.receive()

    async def messages(self) -> AsyncGenerator[Lease[T]]:
        """Yield messages until the mailbox was closed and has run empty."""
        with suppress(EndOfMailboxError):
            while True:
                lease = await self.receive()
                yield lease

    def reserve[U](self, mailbox: Mailbox[U]) -> Permit[U]:
        """Wait for a slot in another child's mailbox; see `Mailbox.reserve`."""
        return mailbox.reserve(self.waiting(f"room in {mailbox.name}"))

    @asynccontextmanager
    async def until_stopping(self) -> AsyncIterator[None]:
        """Cancel what is in the block once the child is asked to finish, and go on behind it."""
        async with anyio.create_task_group() as tasks:

            async def end() -> None:
                await self.stopping.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(end)
            yield
            tasks.cancel_scope.cancel()

    def silent_seconds(self) -> float:
        """Seconds since the last progress; 0 while it waits, or while it has started and has nothing to do."""
        idle = self._has_started and self._inbox is not None and self._inbox.depth == 0
        return 0.0 if self._waiting_for or idle else anyio.current_time() - self._last_progress
