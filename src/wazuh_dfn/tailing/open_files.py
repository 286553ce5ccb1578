"""The open alert files: what a survey finds is opened in its order, and what has lost its name is held until it is read."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import anyio
import structlog

from wazuh_dfn.errors import CannotUnpackError
from wazuh_dfn.messages import FINGERPRINT_BYTES, NO_BYTES, Fingerprint, Position
from wazuh_dfn.tailing.alert_file import AlertFile, AlertFolder
from wazuh_dfn.tailing.names import FIRST_MONTH, Sighting, month_before
from wazuh_dfn.tailing.place import ReadingPlace, ReadingTrouble
from wazuh_dfn.tailing.registry import Appearance, appearance_of
from wazuh_dfn.tailing.survey import Survey, Unread, damage_of

SURVEY_SECONDS = 10.0
"""How often all files are looked at, besides when one was read to its end."""
SURVEY_SHARE = 20
"""The time between surveys as a multiple of what the last one took: many files must not leave time for nothing else."""
LONGEST_SURVEY_PAUSE_SECONDS = 300.0
"""The longest time between surveys: one that took long because a disk did not answer says nothing about the next."""
OLD_SURVEY_SECONDS = 600.0
"""A survey after a longer time looks at all months again."""
PATIENCE_SECONDS = 3.0
"""After this time without a survey in which all files could be looked into, the others are read without them."""
PACKING_SECONDS = 120.0
"""For how long a file stays open after a packed copy of it was last written to."""
AVOIDED_SECONDS = 60.0
"""For how long a file that could not be read comes after all others."""
log = structlog.get_logger(__name__)


class OpenFiles:
    """Turns `place` to the file that is to be read next. `now` is the clock of the file system, in seconds since the epoch."""

    def __init__(self, files: AlertFolder, place: ReadingPlace, now: Callable[[], float]) -> None:
        self._files = files
        self._place = place
        self._now = now
        self._queue: list[Unread] = []
        """What the last survey has found and was not read yet; at last the current file, even if it is empty."""
        self._is_first = True
        """Whether nothing of that was chosen yet."""
        self._survey_at = 0.0
        self._failing_since: float | None = None
        """When the first survey in a row failed to look into all files."""
        self._surveyed_at = 0.0
        self._since = FIRST_MONTH
        """All files of earlier months were read when the last survey was made."""
        self._current_node: tuple[int, int] | None = None
        self._avoided: dict[str, float] = {}
        """By path, until when."""
        self._reopened = ("", 0.0)
        """The file that was opened again last after a failover of its file server, and when: a second time in a row it is avoided."""
        self._damaged: dict[Path, str] = {}
        self._chosen: Sighting | None = None
        """How the present file looked when it was chosen."""
        self._still: tuple[Appearance, float] | None = None
        """How the current file looks, and since when, while others are newer."""
        self._in_use = anyio.Lock()

    @property
    def is_survey_due(self) -> bool:
        """Whether the last survey is too long ago."""
        return anyio.current_time() >= self._survey_at

    async def is_replaced(self) -> bool:
        """Return whether `alerts.json` is another file than the one being read. A missing one is reported."""
        node, file = await self._files.current_node(), self._place.file
        if node is None:
            self._note_missing()
        else:
            self._place.is_over(ReadingTrouble.MISSING)
        return node is not None and file is not None and node != file.node

    def _note_missing(self) -> None:
        self._place.note(ReadingTrouble.MISSING, f"{self._files.path} does not exist")

    async def turn_to_next(self, *, anew: bool = False) -> bool:
        """Turn to the next file with unread bytes, or to the current one; `anew` after another survey. False if there is nothing new.

        Raises:
            OSError: the folder can't be looked into, or the file not be opened.
            CannotUnpackError: it was packed since the survey.
        """
        if anew or not self._queue or self.is_survey_due:
            async with self._in_use:
                if not await self._survey():
                    return False
        if not self._queue:
            return False
        chosen, place, present = self._queue.pop(0), self._place, self._place.file
        if chosen.is_short and not self._is_first:
            self.look_again()
            return True
        self._is_first = False
        async with self._in_use:
            file = next((file for file in place.held if file is chosen.held or file.node == chosen.sighting.status.node), None)
            if file is None:
                file = await self._files.open(chosen.sighting.path)
                place.held.append(file)
            if not await self._recognise(file, chosen):
                self.look_again()
                return True
        self._chosen = chosen.sighting
        may_grow = chosen.sighting.is_current or not (self._current_node is not None or self._queue)  # without alerts.json, the last of all
        place.is_complete = file.is_packed or not may_grow
        if file is present:
            return place.is_complete
        place.file, place.scanned = file, 0
        if present is not None and present.node != self._current_node and not any(unread.held is present for unread in self._queue):
            await self._close_named(present)
        log.info("reading", file=file.path, offset=place.at.offset if place.at is not None else 0)
        return True

    async def is_packed_again(self) -> bool:
        """Return whether the present file is a packed one that is not any more what was chosen; then it is left, for another survey to judge."""
        file, chosen = self._place.file, self._chosen
        if file is None or not file.is_packed or chosen is None:
            return False
        _, size, modified = await file.appearance()
        if (size, modified) == (chosen.status.size, chosen.status.modified):
            return False
        self.look_again()
        self.leave()
        return True

    async def finish(self) -> None:
        """Leave the present file, which is complete and read to its end; without a name it stays open until a survey has judged it."""
        place, file = self._place, self._place.file
        if file is not None and file.number is not None:
            known, appearance = place.registry.files[file.number], await file.appearance()
            if file.is_packed or appearance.size == known.read_to.offset:
                place.registry.note_read(known, appearance, self._now())
        self.leave()
        if file is not None:
            await self._close_named(file)

    async def _close_named(self, file: AlertFile) -> None:
        """Close a file that has nothing unread. Without a name it stays open until the next survey has judged copies of it."""
        async with self._in_use:
            if file in self._place.held and not await file.unnamed_bytes():
                await self._close(file)

    def leave(self) -> None:
        """Leave the present file; it stays open until a survey has shown that nothing else needs it."""
        file = self._place.file
        if file is not None and file.content.damage is not None:
            self._damaged[Path(file.path)] = damage_of(file.path, file.content)
        self._place.file, self._place.scanned = None, 0

    async def give_up(self, error: OSError) -> None:
        """Leave the present file, which can't be read; it is opened again by its path: at once after a failover, else after all others."""
        file, now = self._place.file, anyio.current_time()
        self.leave()
        if file is not None:
            path, reopened_at = self._reopened
            if error.errno == errno.ESTALE and (path != file.path or now - reopened_at > AVOIDED_SECONDS):
                self._reopened = file.path, now
            else:
                self._avoided[file.path] = now + AVOIDED_SECONDS
            async with self._in_use:
                await self._close_broken(file, error)

    async def _close_broken(self, file: AlertFile, error: OSError) -> None:
        """Close a file that answers with errors, so that its path is opened again; without a name it is closed only if it is of no use."""
        unnamed_bytes = 0
        with suppress(OSError):
            unnamed_bytes = await file.unnamed_bytes()
        if error.errno == errno.ESTALE or not unnamed_bytes:
            await self._close(file)

    def look_again(self) -> None:
        """What the last survey has found is not true any more."""
        self._queue.clear()

    async def keep_the_current_open(self) -> None:
        """Hold what `alerts.json` names, also while nobody takes what is read: what loses its name is found nowhere else."""
        while True:
            await anyio.sleep(SURVEY_SECONDS)
            with suppress(OSError, CannotUnpackError):
                async with self._in_use:
                    await self._hold_the_current()

    async def _hold_the_current(self) -> None:
        place, node = self._place, await self._files.current_node()
        if place.file is None or any(file.node == node for file in place.held):
            return
        for file in [file for file in place.held if file is not place.file]:
            if not await file.unnamed_bytes():
                await self._close(file)
        if path := await self._files.current_path(self._since):
            place.held.append(await self._files.open(path))

    async def _survey(self) -> bool:
        """Find what is unread; False if that has to be tried again."""
        place, began = self._place, anyio.current_time()
        since = self._since if began - self._surveyed_at < OLD_SURVEY_SECONDS else FIRST_MONTH
        found = await self._files.survey(place.registry, place.held, since)
        place.note_all(ReadingTrouble.FILE_UNREADABLE, found.failed)
        self._failing_since = (self._failing_since or began) if found.failed or found.has_changed else None
        if self._failing_since is not None and began - self._failing_since < PATIENCE_SECONDS:
            return False  # it may pass, and files are read in their order
        self._surveyed_at = anyio.current_time()
        self._survey_at = self._surveyed_at + _pause_seconds(self._surveyed_at - began)
        self._remember(found, is_of_all_months=since == FIRST_MONTH)
        await self._close_all_but(found)
        await self._tell(found)
        self._queue, self._is_first = self._in_order(found), True
        return True

    def _remember(self, found: Survey, *, is_of_all_months: bool) -> None:
        """Put into the registry what the survey says of files without unread bytes; find out which months the next one can do without."""
        place, registry, now = self._place, self._place.registry, self._now()
        self._current_node = found.current.status.node if found.current is not None else None
        registry.passed_over = frozenset(found.passed_over)
        for known, sighting in found.read:
            registry.note_read(known, appearance_of(sighting), now)
        for whole, sighting, head, end in found.copies:
            registry.note_read(registry.add_copy(whole, str(sighting.path), head, end), appearance_of(sighting), now)
        waiting = [unread.sighting for unread in found.unread]
        if is_of_all_months:
            registry.forget(found.sightings, waiting, [file.number for file in place.held if file.number is not None], now)
        newest = max((each.slot for each in found.sightings if each.slot is not None), default=None)
        are_old_waiting = bool(found.failed) or any(not sighting.is_current for sighting in waiting)
        self._since = month_before(newest) if newest is not None and not are_old_waiting else FIRST_MONTH

    async def _tell(self, found: Survey) -> None:
        """Note what of the survey an administrator has to know."""
        place, there = self._place, {sighting.path for sighting in found.sightings}
        place.is_over(ReadingTrouble.UNREADABLE)
        place.note_all(ReadingTrouble.CANNOT_UNPACK, found.cannot_unpack)
        self._damaged = {path: text for path, text in (self._damaged | found.damaged).items() if path in there}
        place.note_all(ReadingTrouble.DAMAGED, self._damaged)
        await self._look_for_a_wrong_link(found)
        if found.current is None:
            self._note_missing()

    def _in_order(self, found: Survey) -> list[Unread]:
        now = anyio.current_time()
        self._avoided = {path: until for path, until in self._avoided.items() if until > now}
        queue = sorted(found.unread, key=lambda unread: str(unread.sighting.path) in self._avoided)
        if found.current is not None and not any(unread.sighting.is_current for unread in queue):
            queue.append(Unread(found.current))
        return queue

    async def _close_all_but(self, found: Survey) -> None:
        """Close what answers with errors; and what is not read, is not the current file, and holds nothing unread."""
        for broken, error in found.broken:
            if isinstance(broken, AlertFile):
                await self._close_broken(broken, error)
        place, needed = self._place, {id(unread.held) for unread in found.unread}
        for file in list(place.held):
            is_current = file.node == self._current_node
            if file is not place.file and not is_current and id(file) not in needed and not self._is_being_packed(file, found):
                await self._close(file)

    def _is_being_packed(self, file: AlertFile, found: Survey) -> bool:
        """Return whether a packed copy of its first part was written to just now: how much of it that holds, only the file can tell."""
        since = self._now() - PACKING_SECONDS
        return any(whole.number == file.number and copy.status.modified >= since for whole, copy, *_ in found.copies)

    async def _close(self, file: AlertFile) -> None:
        place = self._place
        if file is place.file:
            self.leave()
        place.held.remove(file)
        await file.aclose()

    async def _look_for_a_wrong_link(self, found: Survey) -> None:
        """Notice that `alerts.json` is not what Wazuh writes to."""
        place, current = self._place, found.current
        if await self._files.is_mount_point():
            place.note(ReadingTrouble.MOUNT_POINT, f"{self._files.path} is a mount point of its own")
        else:
            place.is_over(ReadingTrouble.MOUNT_POINT)
        newer = [each.path for each in found.sightings if current is not None and _is_newer(each, current)]
        if current is None or not newer or self._still is None or self._still[0] != appearance_of(current):
            place.is_over(ReadingTrouble.STANDS_STILL)
            self._still = (appearance_of(current), anyio.current_time()) if current is not None and newer else None
        elif anyio.current_time() - self._still[1] >= SURVEY_SECONDS:
            place.note(ReadingTrouble.STANDS_STILL, f"{self._files.path} does not change although {newer[0]} was written to after it")

    async def _recognise(self, file: AlertFile, chosen: Unread) -> bool:
        """Find its number in the registry, if it has one; False if it is not what the survey has found (any more)."""
        registry = self._place.registry
        found = await self._files.match(registry, file)
        if found is None or found.known.is_whole:
            file.number, file.head = None, NO_BYTES
            return True
        if not found.is_shorter:
            known = found.known
            registry.move(known, file.path)
            if known.read_to.offset and (begun := await file.begun_line(known.read_to.offset)) is not None:
                registry.go_back(known, begun)  # its beginning counted as all there would be of that line
        elif not chosen.is_shorter:  # another file with its content was read since
            return False
        else:
            first = await file.read(Position(file.path, file.node[1], 0), min(found.mark.offset, FINGERPRINT_BYTES))
            known = registry.add(file.path, Fingerprint.of(first), found.mark)
            log.warning(
                "alert file came back shorter than it was, reading on from an earlier position, records may be repeated",
                file=file.path,
                offset=found.mark.offset,
                read_to=found.known.read_to.offset,
            )
        file.number, file.head = known.number, known.head
        return True


def _is_newer(other: Sighting, current: Sighting) -> bool:
    return other.slot is not None and not other.has_packed_name and other.status.modified > current.status.modified


def _pause_seconds(survey_seconds: float) -> float:
    return max(SURVEY_SECONDS, min(SURVEY_SHARE * survey_seconds, LONGEST_SURVEY_PAUSE_SECONDS))
