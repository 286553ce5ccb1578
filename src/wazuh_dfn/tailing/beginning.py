"""The first content of the registry: the saved one, or at the very first start all existing files as read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from wazuh_dfn.errors import CannotUnpackError, CheckpointUnreadableError, FileTruncatedError
from wazuh_dfn.messages import FINGERPRINT_BYTES, NO_BYTES, Fingerprint
from wazuh_dfn.tailing.alert_file import AlertFolder
from wazuh_dfn.tailing.checkpoint_file import Checkpoint, CheckpointStore
from wazuh_dfn.tailing.contents import end_of_last_line, open_content
from wazuh_dfn.tailing.disk import Disk
from wazuh_dfn.tailing.names import FIRST_SLOT, Sighting, list_files, slot_of
from wazuh_dfn.tailing.place import ReadingPlace, ReadingTrouble
from wazuh_dfn.tailing.registry import BEGINNING, KEPT_FILES, Mark, Registry, appearance_of, order_of

type IsOld = Callable[[Sighting], bool]


@dataclass(frozen=True, slots=True)
class OldFile:
    """A file from before the first start, settled up to `mark`, or as a whole if there is no mark."""

    sighting: Sighting
    head: Fingerprint = NO_BYTES
    mark: Mark | None = None


class Beginning:
    """Fills the registry of `place` once.

    Args:
        files: the folder where Wazuh writes.
        checkpoints: store of the saved registry.
        place: owner of the registry.
        start_at: where reading begins in the current file at the very first start.
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
        """Load the registry, or create it, and save it at once.

        From then on no line may be skipped, even if this process is killed.

        Raises:
            OSError: a folder or the current file cannot be read. The caller retries.
        """
        registry = self._place.registry
        try:
            saved = await self._checkpoints.load()
        except CheckpointUnreadableError as error:
            time = datetime.fromtimestamp(error.saved_at).astimezone().isoformat(timespec="seconds")
            text = f"{error}: files written to after {time} are read from their beginning, older ones count as read"
            self._place.note(ReadingTrouble.CHECKPOINT, text)
            await self._take_as_settled(_written_before(error.saved_at))
        else:
            if saved is None:
                await self._take_as_settled(lambda sighting: self._start_at == "end" or not sighting.is_current)
            else:
                registry.restore(saved.files, saved.saves, saved.forgotten_before, saved.forgotten_slot)
                if not saved.is_complete:
                    await self._take_as_settled(_older_than(saved))
        registry.is_begun = True
        with suppress(OSError):  # the checkpointer repeats the save and reports its failure
            await self._save()

    async def _take_as_settled(self, is_old: IsOld) -> None:
        registry = self._place.registry
        old = await self._files.disk.run(old_files, self._files.disk, self._files.path, is_old, registry)
        for file in old[:KEPT_FILES]:
            path = str(file.sighting.path)
            known = registry.add(path, file.head, file.mark or BEGINNING, is_whole=file.mark is None)
            if not file.sighting.is_current:
                known.read = appearance_of(file.sighting)
        newest = max((file.sighting.status.modified for file in old[:KEPT_FILES]), default=0.0)
        for file in old[KEPT_FILES:]:
            if file.sighting.status.modified <= newest:
                registry.forget_unseen([file.sighting])
            else:  # a wrong clock, because otherwise everything older would count as forgotten
                registry.add(str(file.sighting.path), is_whole=True).read = appearance_of(file.sighting)


def _written_before(time: float) -> IsOld:
    return lambda sighting: sighting.status.modified <= time and not sighting.is_current


def _older_than(saved: Checkpoint) -> IsOld:
    """Return which files are covered by a checkpoint of version 1 or 2.

    It covers all files written before it, except the current one. A dated file also needs an earlier date than the checkpoint's file, if
    that has a date.
    """
    [known] = saved.files
    slot, written_before = slot_of(Path(known.path)), _written_before(saved.saved_at)

    def is_old(sighting: Sighting) -> bool:
        return written_before(sighting) and (slot is None or sighting.slot is None or sighting.slot < slot)

    return is_old


def old_files(disk: Disk, alerts: Path, is_old: IsOld, registry: Registry) -> list[OldFile]:
    """Return the old files that are not in the registry, with their ends, the newest first.

    Blocks.

    Raises:
        OSError: a folder or the current file cannot be read.
    """
    sightings = [each for each in _with_current(list_files(disk, disk.resolve(alerts)).sightings) if each.naming != "stranger"]
    key = order_of(sightings)
    known = next((key(each) for each in sightings if each.slot is None and _is_known(disk, each, registry)), None)
    old = [each for each in sightings if is_old(each) and (known is None or each.slot is not None or key(each) < known)]
    newest_first = sorted(old, key=key, reverse=True)
    found = [_old_file(disk, sighting, registry) for sighting in newest_first[:KEPT_FILES]]
    return [file for file in found if file is not None] + [OldFile(sighting) for sighting in newest_first[KEPT_FILES:]]


def _is_known(disk: Disk, sighting: Sighting, registry: Registry) -> bool:
    """Return whether reading stopped in this file.

    Undated files that were written to later were not read yet.
    """
    if not registry.files:
        return False
    try:
        with closing(open_content(disk, sighting.path)) as content:
            found = registry.identify(content, str(sighting.path))
            return found is not None and not found.is_shorter
    except (OSError, CannotUnpackError):
        return False


def _with_current(sightings: list[Sighting]) -> list[Sighting]:
    """Treat the newest dated file as the current one while `alerts.json` does not exist, because it is about to be linked to that file."""
    plain = [each for each in sightings if each.slot is not None and not each.has_packed_name]
    if not plain or any(each.is_current for each in sightings):
        return sightings
    newest = max(plain, key=lambda each: each.slot or FIRST_SLOT)
    return [replace(each, is_current=each is newest) for each in sightings]


def _old_file(disk: Disk, sighting: Sighting, registry: Registry) -> OldFile | None:
    try:
        with closing(open_content(disk, sighting.path)) as content:
            if registry.identify(content, str(sighting.path)) is not None:
                return None
            mark = None
            if not content.is_packed:
                mark = Mark.at_end(content, end_of_last_line(content, content.size()) if sighting.is_current else content.size())
            head = content.read(0, FINGERPRINT_BYTES if mark is None else min(FINGERPRINT_BYTES, mark.offset))
            return OldFile(sighting, Fingerprint.of(head), mark)
    except (FileNotFoundError, FileTruncatedError):
        return None
    except (OSError, CannotUnpackError):
        if sighting.is_current:
            raise
        return OldFile(sighting)
