"""Saves the settled position of each file: unsynced after each acknowledgement, synced at intervals and at the end."""

from __future__ import annotations

import anyio

from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.tailing.checkpoint_file import Checkpoint, CheckpointStore
from wazuh_dfn.tailing.checkpoint_status import CheckpointStatus
from wazuh_dfn.tailing.registry import Registry

NOTE_SECONDS = 0.25
NOTE_PAUSE_SECONDS = 60.0
"""`NOTE_SECONDS` is the maximum wait for a note. After a longer one, no note is tried for `NOTE_PAUSE_SECONDS`.

This way a disk that does not answer does not delay delivery.
"""


class Checkpointer:
    """Saves the registry when it has changed.

    A failed save is retried later and delays nothing else.
    """

    def __init__(self, registry: Registry, store: CheckpointStore, status: CheckpointStatus, interval_seconds: float) -> None:
        self._registry = registry
        self._store = store
        self._status = status
        self._interval_seconds = interval_seconds
        self._saving = anyio.Lock()
        self._saved_changes = -1
        self._note_again_at = 0.0

    async def run(self, lifeline: Lifeline[None]) -> None:
        """Save at intervals until asked to stop, and then once more."""
        lifeline.started()
        is_last = False
        while not is_last:
            with anyio.move_on_after(self._interval_seconds):
                await lifeline.stopping.wait()
            is_last = lifeline.stopping.is_set()
            await self.save()
            lifeline.progress()

    async def save(self) -> None:
        """Save durably if anything has changed since the last save.

        A failure is recorded in the status and not raised.
        """
        async with self._saving:
            registry = self._registry
            changes, position, is_saved = registry.changes, registry.settled_through, False
            if not registry.is_begun or changes == self._saved_changes:
                self._status.found_up_to_date()
                return
            files = tuple(registry.begin_save())
            try:
                await self._store.save(Checkpoint(files, registry.saves + 1, registry.forgotten_before, registry.forgotten_slot))
            except OSError as error:
                self._status.failed(str(error))
            else:
                is_saved, self._saved_changes = True, changes
                self._status.was_saved(position)
            finally:
                registry.end_save(is_saved=is_saved)

    async def note(self) -> None:
        """Write what was settled just now, so that a killed process does not repeat it.

        A failure is ignored, because the next save covers it.
        """
        if anyio.current_time() < self._note_again_at:
            return
        with anyio.move_on_after(NOTE_SECONDS) as patience:
            try:
                await self._store.note(self._registry.moved(), self._registry.saves)
            except OSError:
                return
        if patience.cancelled_caught:
            self._note_again_at = anyio.current_time() + NOTE_PAUSE_SECONDS
