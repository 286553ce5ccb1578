"""The actor that reports deliveries and errors to Wazuh.

Its failures never delay a record.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from random import Random

import anyio

from wazuh_dfn.errors import WazuhUnavailableError
from wazuh_dfn.kinds.catalogue import kind_named
from wazuh_dfn.lines.parse import parse_alert
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.supervision.restart_policy import RETRY_JITTER, Backoff
from wazuh_dfn.wazuh.feedback_format import FeedbackFormat
from wazuh_dfn.wazuh.feedback_queue import ErrorNote, FeedbackQueue, Note
from wazuh_dfn.wazuh.feedback_status import FeedbackStatus
from wazuh_dfn.wazuh.queue_connection import WazuhConnection, WazuhSocket

DRAIN_SECONDS = 1.0
CLOSE_TIMEOUT_SECONDS = 0.5
TURN_SECONDS = 0.002
"""Time for sending notes before other actors get their turn."""
OLD_SECONDS = 90.0
"""Age from which on an error is reported with its age, longer than the minute that an error may have to wait anyway."""


@dataclass(frozen=True, slots=True)
class FeedbackActorOptions:
    """Delays between attempts to connect: the first, and the maximum after doubling.

    Both vary by `RETRY_JITTER`.
    """

    first_retry_seconds: float = 5.0
    longest_retry_seconds: float = 30.0


class FeedbackActor:
    """Connects, sends a greeting, and then passes on the notes of the queue.

    It reconnects after each failure, without limit. Lines are parsed again here, so that delivery to the broker does not pay for feedback.
    """

    def __init__(
        self,
        socket: WazuhSocket,
        queue: FeedbackQueue,
        *,
        form: FeedbackFormat,
        status: FeedbackStatus,
        options: FeedbackActorOptions,
        random: Random,
    ) -> None:
        self._socket = socket
        self._queue = queue
        self._form = form
        self._status = status
        first, longest = options.first_retry_seconds, options.longest_retry_seconds
        self._backoff = Backoff(first, max(first, longest), jitter=RETRY_JITTER)
        self._random = random
        self._failures_in_a_row = 0

    async def run(self, lifeline: Lifeline[None]) -> None:
        """Send feedback until asked to stop.

        Then send the rest, if Wazuh accepts it within a second.
        """
        lifeline.started()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._end_in_time, lifeline, tasks.cancel_scope)
                await self._tell(lifeline)
                tasks.cancel_scope.cancel()
        finally:
            if lifeline.stopping.is_set():
                self._queue.drop_rest()

    async def _end_in_time(self, lifeline: Lifeline[None], scope: anyio.CancelScope) -> None:
        await lifeline.stopping.wait()
        self._queue.close()
        await anyio.sleep(DRAIN_SECONDS)
        scope.cancel()

    async def _tell(self, lifeline: Lifeline[None]) -> None:
        while not lifeline.stopping.is_set():
            try:
                await self._tell_over_one_connection(lifeline)
            except WazuhUnavailableError as error:
                self._status.failed(error)
                self._failures_in_a_row += 1
                delay_seconds = self._backoff.delay_seconds(self._failures_in_a_row, self._random)
                with lifeline.waiting("Wazuh"), anyio.move_on_after(delay_seconds):
                    await lifeline.stopping.wait()

    async def _tell_over_one_connection(self, lifeline: Lifeline[None]) -> None:
        connection = await self._socket.connect()
        try:
            await connection.send(self._form.description(f"wazuh-dfn {version('wazuh-dfn')} tells here what it delivers, and its errors"))
            self._status.sent += 1
            self._status.connected()
            self._failures_in_a_row = 0
            while (note := await self._wait_for_note(lifeline)) is not None:
                turn_ends_at = anyio.current_time() + TURN_SECONDS
                while note is not None:
                    await self._pass_on(connection, note)
                    note = self._queue.take_nowait() if anyio.current_time() < turn_ends_at else None
        finally:
            with anyio.move_on_after(CLOSE_TIMEOUT_SECONDS, shield=True):
                await connection.aclose()

    async def _wait_for_note(self, lifeline: Lifeline[None]) -> Note | None:
        lifeline.progress()
        with lifeline.waiting("something to tell"):
            return await self._queue.take()

    async def _pass_on(self, connection: WazuhConnection, note: Note) -> None:
        try:
            message = self._message(note)
            if message is None:
                self._status.dropped += 1
                return
            await connection.send(message)
        except WazuhUnavailableError:
            self._queue.put_back(note)
            raise
        except BaseException:  # after a crash or a cancellation, the note may have been sent
            self._status.dropped += 1
            raise
        self._status.sent += 1

    def _message(self, note: Note) -> bytes | None:
        if isinstance(note, ErrorNote):
            age_seconds = anyio.current_time() - note.at
            return self._form.error(note.text if age_seconds < OLD_SECONDS else f"{note.text} ({age_seconds:.0f} s ago)")
        return self._form.delivered(kind_named(note.kind), parse_alert(note.raw))
