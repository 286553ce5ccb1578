"""A list of files in place of `alerts.json`, read one after the other to an end, which the real file never has."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import anyio

from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.tailing.alert_file import AlertFile
from wazuh_dfn.tailing.checkpoint_file import Checkpoint
from wazuh_dfn.tailing.chunks import ChunkReader
from wazuh_dfn.tailing.place import ReadingPlace
from wazuh_dfn.tailing.registry import KnownFile


class ListReader:
    """Replaces the tailer: reads open files in this order, each to where it ends when its turn comes.

    Args:
        files: files with different paths.
        place: the reading position, from which a successor continues after a crash.
        reader: reads chunks and passes them on.
    """

    def __init__(self, files: Sequence[AlertFile], place: ReadingPlace, reader: ChunkReader) -> None:
        self._files = files
        self._place = place
        self._reader = reader

    async def run(self, lifeline: Lifeline[None]) -> None:
        """Read all files, then wait until asked to stop."""
        lifeline.started()
        for file in self._files:
            if self._place.file is not file:
                self._place.file, self._place.scanned = file, 0
            while not lifeline.stopping.is_set() and not await self._is_read(lifeline, file):
                lifeline.progress()
        self._place.is_complete = not lifeline.stopping.is_set()
        with lifeline.waiting("the end"):
            await lifeline.stopping.wait()

    async def _is_read(self, lifeline: Lifeline[None], file: AlertFile) -> bool:
        at = self._place.at
        if at is None or await self._reader.read(lifeline, file, at):
            return at is None
        await anyio.lowlevel.checkpoint()
        return await self._reader.read_rest(lifeline, file, at, quiet_seconds=0.0)


class NoCheckpoints:
    """Implements `CheckpointStore` without storing anything, because a resend is not continued later."""

    async def load(self) -> Checkpoint | None:
        """See `CheckpointStore`."""
        return None

    async def save(self, checkpoint: Checkpoint) -> None:
        """See `CheckpointStore`."""

    async def note(self, files: Collection[KnownFile], saves: int) -> None:
        """See `CheckpointStore`."""
