"""Writes the position up to which everything is settled, every so often and at the end."""

from __future__ import annotations

import anyio

from wazuh_dfn.delivery.checkpoint_status import CheckpointStatus
from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.delivery.ports import CheckpointStore
from wazuh_dfn.supervision.lifeline import Lifeline


class Checkpointer:
    """Saves `ledger.acked_through` when it has moved. A store that can't be written delays nothing: it is tried again."""

    def __init__(self, ledger: Ledger, store: CheckpointStore, status: CheckpointStatus, interval_seconds: float) -> None:
        self._ledger = ledger
        self._store = store
        self._status = status
        self._interval_seconds = interval_seconds

    async def run(self, lifeline: Lifeline[None]) -> None:
        """Save until asked to stop, and once more then."""
        lifeline.started()
        is_last = False
        while not is_last:
            with anyio.move_on_after(self._interval_seconds):
                await lifeline.stopping.wait()
            is_last = lifeline.stopping.is_set()
            await self._save()
            lifeline.progress()

    async def _save(self) -> None:
        position = self._ledger.acked_through
        if position is None or self._status.is_up_to_date(position):
            return
        try:
            await self._store.save(position)
        except OSError as error:
            self._status.failed(str(error))
        else:
            self._status.was_saved(position)
