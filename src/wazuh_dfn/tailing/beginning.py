"""How the registry begins: as it was saved, or, at the very first start, with all that is there already as read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Literal

from wazuh_dfn.errors import CheckpointUnreadableError
from wazuh_dfn.tailing.alert_file import AlertFolder
from wazuh_dfn.tailing.checkpoint_file import Checkpoint, CheckpointStore
from wazuh_dfn.tailing.names import Sighting, slot_of
from wazuh_dfn.tailing.old_files import IsOld
from wazuh_dfn.tailing.place import ReadingPlace, Trouble
from wazuh_dfn.tailing.registry import BEGINNING, KEPT_FILES, appearance_of


class Beginning:
    """Fills the registry of `place` once.

    Args:
        files: where Wazuh writes.
        checkpoints: where the registry was saved.
        place: whose registry it is.
        start_at: where the very first start begins in the current file.
        save: saves the registry durably.
    """

    def __init__(
        self,
        files: AlertFolder,
        checkpoints: CheckpointStore,
        place: ReadingPlace,
        start_at: Literal["end", "beginning"],
        save: Callable[[], Awaitable[None]],
    ) -> None:
        self._files = files
        self._checkpoints = checkpoints
        self._place = place
        self._start_at = start_at
        self._save = save

    async def begin(self) -> None:
        """Load the registry, or begin it; it is saved at once: from now on nothing may be left out, even if this process is killed.

        Raises:
            OSError: a folder or the current file can't be read; to be tried again.
        """
        registry = self._place.registry
        try:
            saved = await self._checkpoints.load()
        except CheckpointUnreadableError as error:
            time = datetime.fromtimestamp(error.saved_at).astimezone().isoformat(timespec="seconds")
            text = f"{error}: files written to after {time} are read from their beginning, older ones count as read"
            self._place.note(Trouble.CHECKPOINT, text)
            await self._take_as_settled(_written_before(error.saved_at))
        else:
            if saved is None:
                await self._take_as_settled(lambda sighting: self._start_at == "end" or not sighting.is_current)
            else:
                registry.restore(saved.files, saved.saves, saved.forgotten_before, saved.forgotten_slot)
                if not saved.is_complete:
                    await self._take_as_settled(_older_than(saved))
        registry.is_begun = True
        with suppress(OSError):  # the checkpointer tries the same again, and reports
            await self._save()

    async def _take_as_settled(self, is_old: IsOld) -> None:
        registry = self._place.registry
        old = await self._files.old_files(is_old, registry)
        for file in old[:KEPT_FILES]:
            path = str(file.sighting.path)
            known = registry.add(path, file.head, file.mark or BEGINNING, is_whole=file.mark is None)
            if not file.sighting.is_current:
                known.read = appearance_of(file.sighting)
        newest = max((file.sighting.status.modified for file in old[:KEPT_FILES]), default=0.0)
        for file in old[KEPT_FILES:]:
            if file.sighting.status.modified <= newest:
                registry.forget_unseen([file.sighting])
            else:  # a wrong clock: all that is older would be taken for forgotten
                registry.add(str(file.sighting.path), is_whole=True).read = appearance_of(file.sighting)


def _written_before(time: float) -> IsOld:
    return lambda sighting: sighting.status.modified <= time and not sighting.is_current


def _older_than(saved: Checkpoint) -> IsOld:
    """A checkpoint of version 1 or 2 is behind all that was written before it in files with earlier dates, and in undated ones."""
    [known] = saved.files
    slot, written_before = slot_of(Path(known.path)), _written_before(saved.saved_at)

    def is_old(sighting: Sighting) -> bool:
        return written_before(sighting) and (slot is None or sighting.slot is None or sighting.slot < slot)

    return is_old
