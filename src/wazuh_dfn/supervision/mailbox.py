"""Bounded mailboxes that survive their consumers, with leases, redelivery and a poison limit.

The buffer is an anyio memory stream. The mailbox itself keeps both ends, so no message is lost when a consumer fails. Messages are taken
from the stream only without waiting: a waiting receiver that is cancelled at the moment of the handover would lose its message.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Self

import anyio
from anyio.lowlevel import checkpoint

from wazuh_dfn.supervision.failures import EndOfMailboxError, MailboxClosedError

_NOTHING_TO_TELL = nullcontext()

type PoisonHandler[T] = Callable[[T, BaseException], Awaitable[None]]


class _Slot:
    """One unit of the capacity, shared by the parts of a divided message and released with the last of them."""

    def __init__(self, slots: anyio.Semaphore) -> None:
        self._slots = slots
        self.holders = 1

    def leave(self) -> None:
        self.holders -= 1
        if self.holders == 0:
            self._slots.release()


class Lease[T]:
    """A message being processed.

    It belongs to the mailbox until `done()`. If the consumer fails before, its successor receives the message again.
    """

    def __init__(self, mailbox: Mailbox[T], item: T, slot: _Slot, failures: int = 0) -> None:
        self.item = item
        self.failures = failures
        """Number of consumers in a row that failed with this message."""
        self._mailbox = mailbox
        self.slot = slot

    def done(self) -> None:
        """Remove the message for good.

        Raises:
            ValueError: the lease was done before or was taken back.
        """
        self._mailbox._remove(self)  # noqa: SLF001

    def divide(self, parts: Sequence[T]) -> list[Lease[T]]:
        """Replace this lease by one lease for each part, each to be done by itself.

        Args:
            parts: at least one.

        Raises:
            ValueError: the lease was done before or was taken back.
        """
        return self._mailbox._divide(self, parts)  # noqa: SLF001


class Permit[T]:
    """A slot held for the length of a block.

    `put` does not wait, so no cancellation can come between it and the other steps of the block. `Mailbox.reserve` returns permits. This is
    a class because a generator takes three times as long to enter.
    """

    def __init__(self, mailbox: Mailbox[T], slots: anyio.Semaphore, waiting: AbstractContextManager[None]) -> None:
        self._mailbox = mailbox
        self._slots = slots
        self._waiting = waiting
        self._slot: _Slot | None = None

    async def __aenter__(self) -> Self:
        with self._waiting:
            await self._slots.acquire()
            self._slot = _Slot(self._slots)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._slot is not None:
            self._slot.leave()
            self._slot = None

    def put(self, item: T) -> None:
        """Put the message in, at most once for each permit.

        Raises:
            MailboxClosedError: the mailbox is closed, or the permit was used before.
        """
        if self._slot is None:
            raise MailboxClosedError(f"the permit for {self._mailbox.name} was used before")
        self._mailbox._append(Lease(self._mailbox, item, self._slot))  # noqa: SLF001
        self._slot = None


class Mailbox[T]:
    """A bounded queue of messages for one consumer at a time.

    Args:
        name: name in events and statistics.
        capacity: maximum number of messages that wait, are being processed, or are reserved, in total.
        poison_limit: number of failures in a row that make a message poison. None, or no `on_poison`: no message is ever poison.
        on_poison: called with the poison message and the last error, and must settle the message. If it raises, it is called again later.
        split: divides a message that failed once into at least one part, so that harmless parts are not lost with the poisonous one.
    """

    def __init__(
        self,
        name: str,
        capacity: int,
        *,
        poison_limit: int | None = None,
        on_poison: PoisonHandler[T] | None = None,
        split: Callable[[T], Sequence[T]] | None = None,
    ) -> None:
        self.name = name
        self.capacity = capacity
        self.messages_done = 0
        """Number of messages that consumers have done. Each part of a divided message counts."""
        self._poison_limit = poison_limit if on_poison is not None else None
        self._on_poison = on_poison
        self._split = split
        self._slots = anyio.Semaphore(capacity)
        self._send, self._waiting = anyio.create_memory_object_stream[Lease[T]](capacity)
        self._changed = anyio.Event()
        self._suspects: deque[Lease[T]] = deque()
        self._leases: list[Lease[T]] = []
        self._poisoned: deque[tuple[Lease[T], BaseException]] = deque()

    @property
    def depth(self) -> int:
        """Number of messages that wait or are being processed, at most `capacity`.

        A divided message counts once until its last part is done.
        """
        taken = [*self._suspects, *self._leases, *(lease for lease, _ in self._poisoned)]
        return self._waiting.statistics().current_buffer_used + len({lease.slot for lease in taken})

    def reserve(self, waiting: AbstractContextManager[None] = _NOTHING_TO_TELL) -> Permit[T]:
        """Wait for a free slot and hold it until the block ends or a message is put in.

        This is the backpressure.

        Args:
            waiting: entered during the wait.
        """
        return Permit(self, self._slots, waiting)

    async def receive(self) -> Lease[T]:
        """Wait for the next message.

        Messages that failed before come first, the oldest of them first, and each is processed alone.

        Raises:
            EndOfMailboxError: the mailbox is closed and empty.
        """
        await checkpoint()
        while (lease := self.receive_nowait()) is None:
            self._changed = anyio.Event()
            await self._changed.wait()
        return lease

    def receive_nowait(self) -> Lease[T] | None:
        """Return the next message, or None if no message may be processed now.

        A message that failed before is a suspect. It is processed alone, so that the next failure has one cause.

        Raises:
            EndOfMailboxError: the mailbox is closed and empty.
        """
        if self._suspects:
            if self._leases:
                return None
            return self._lease(self._suspects.popleft())
        if any(lease.failures for lease in self._leases):
            return None
        try:
            return self._lease(self._waiting.receive_nowait())
        except anyio.WouldBlock:
            return None
        except anyio.EndOfStream:
            raise EndOfMailboxError(self.name) from None

    def close(self) -> None:
        """Accept no more messages.

        The consumer receives the rest and then `EndOfMailboxError`.
        """
        self._send.close()
        self._changed.set()

    def dispose(self) -> None:
        """Close both ends for good and drop the remaining messages.

        The supervisor calls it when all children are done.
        """
        self._send.close()
        self._waiting.close()

    def reclaim(self, error: BaseException | None) -> list[int]:
        """Take back the messages that the consumer was processing, in order, for its successor.

        Messages that reach the poison limit are set aside for `bury_poison`.

        Args:
            error: why the consumer failed. None if the messages are not to blame.

        Returns:
            The number of failures of each message that is redelivered.
        """
        taken_back: list[Lease[T]] = []
        for lease in self._leases:
            if error is None:
                taken_back.append(Lease(self, lease.item, lease.slot, lease.failures))
            elif self._poison_limit is not None and lease.failures + 1 >= self._poison_limit:
                self._poisoned.append((lease, error))
            else:
                taken_back.extend(self._parts(lease))
        self._leases.clear()
        self._suspects.extendleft(reversed(taken_back))
        self._changed.set()
        return [lease.failures for lease in taken_back]

    async def bury_poison(self) -> list[tuple[int, BaseException]]:
        """Let the handler settle the poison messages, and return the number of failures and the last error of each.

        Exceptions of the handler propagate.
        """
        buried = []
        while self._poisoned and self._on_poison is not None:
            lease, error = self._poisoned[0]
            await self._on_poison(lease.item, error)
            self._poisoned.popleft()
            lease.slot.leave()
            buried.append((lease.failures + 1, error))
        return buried

    def _parts(self, lease: Lease[T]) -> list[Lease[T]]:
        parts: Sequence[T] = (lease.item,)
        if self._split is not None and lease.failures == 0:
            parts = self._split(lease.item)
            lease.slot.holders += len(parts) - 1
        return [Lease(self, part, lease.slot, lease.failures + 1) for part in parts]

    def _lease(self, lease: Lease[T]) -> Lease[T]:
        self._leases.append(lease)
        return lease

    def _append(self, lease: Lease[T]) -> None:
        try:
            self._send.send_nowait(lease)
        except anyio.ClosedResourceError:
            raise MailboxClosedError(f"{self.name} is closed") from None
        self._changed.set()

    def _divide(self, lease: Lease[T], parts: Sequence[T]) -> list[Lease[T]]:
        place = self._leases.index(lease)
        lease.slot.holders += len(parts) - 1
        self._leases[place : place + 1] = leases = [Lease(self, part, lease.slot, lease.failures) for part in parts]
        return leases

    def _remove(self, lease: Lease[T]) -> None:
        self._leases.remove(lease)
        self.messages_done += 1
        lease.slot.leave()
        self._changed.set()
