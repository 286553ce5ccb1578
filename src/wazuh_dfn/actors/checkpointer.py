"""Writes the position up to which everything is settled, every so often and at the end."""

from __future__ import annotations

import anyio
import structlog

from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.delivery.ports import CheckpointStore
from wazuh_dfn.messages import Position
from wazuh_dfn.supervision.lifeline import Lifeline

log = structlog.get_logger(__name__)


class Checkpointer:
    """Saves `ledger.acked_through` when it has moved. A store that can't be written delays nothing: it is tried again."""

    def __init__(self, ledger: Ledger, store: CheckpointStore, interval_seconds: float) -> None:
        self._ledger = ledger
        self._store = store
        self._interval_seconds = interval_seconds
        self._saved: Position | None = None
        self._problem: str | None = None

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
        if position is None or position == self._saved:
            return
        try:
            await self._store.save(position)
        except OSError as error:
            self._note_problem(str(error))
        else:
            self._note_problem(None)
            self._saved = position

    def _note_problem(self, problem: str | None) -> None:
        if problem == self._problem:
            return
        self._problem = problem
        if problem is None:
            log.info("checkpoint can be written again")
        else:
            log.error("checkpoint can't be written; delivery goes on, a restart would repeat records", reason=problem)
