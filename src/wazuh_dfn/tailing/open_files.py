"""The open alert files.

Files are opened in the order of the survey. A file that has lost its name stays open until it is read.
"""

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
"""Time between surveys. A survey also follows when a file was read to its end."""
SURVEY_SHARE = 20
"""Minimum time between surveys as a multiple of the last one's duration, so that many files leave time for reading."""
LONGEST_SURVEY_PAUSE_SECONDS = 300.0
"""Maximum time between surveys. A survey that was slow because a disk did not answer says nothing about the next one."""
OLD_SURVEY_SECONDS = 600.0
"""After a longer time without a survey, the next one covers all months again."""
PATIENCE_SECONDS = 3.0
"""Time after which reading continues although surveys have failed to examine some files."""
PACKING_SECONDS = 120.0
"""Time for which a file stays open after a packed copy of it was last written to."""
AVOIDED_SECONDS = 60.0
"""Time for which a file that could not be read comes after all others."""
log = structlog.get_logger(__name__)


class OpenFiles:
    """Selects the file in `place` that is to be read next.

    `now` is the clock of the file system, in seconds since the epoch.
    """

    def __init__(self, files: AlertFolder, place: ReadingPlace, now: Callable[[], float]) -> None:
        self._files = files
        self._place = place
        self._now = now
        self._queue: list[Unread] = []
        """Files from the last survey that are still to be read. The last one is the current file, even if it is empty."""
        self._is_first = True
        """Whether no file of the last survey was chosen yet."""
        self._survey_at = 0.0
        self._failing_since: float | None = None
        """Time of the first survey in the present row of surveys that could not examine all files."""
        self._surveyed_at = 0.0
        self._since = FIRST_MONTH
        """All files of earlier months had been read at the last survey."""
        self._current_node: tuple[int, int] | None = None
        self._avoided: dict[str, float] = {}
        """Files to read after all others: path, and until when on the event loop's clock."""
        self._reopened = ("", 0.0)
        """The last file that was opened again after a failover of its file server, and when. If it fails soon after, it is avoided."""
        self._damaged: dict[Path, str] = {}
        self._chosen: Sighting | None = None
        """The present file as it was seen when it was chosen."""
        self._still: tuple[Appearance, float] | None = None
        """Appearance of the current file, and since when, while other files are newer."""
        self._in_use = anyio.Lock()

    @property
    def is_survey_due(self) -> bool:
        """Whether the next survey is due."""
        return anyio.current_time() >= self._survey_at

    async def is_replaced(self) -> bool:
        """Return whether `alerts.json` is another file than the one being read.

        A missing `alerts.json` is reported.
        """
        node, file = await self._files.current_node(), self._place.file
        if node is None:
            self._note_missing()
        else:
            self._place.is_over(ReadingTrouble.MISSING)
        return node is not None and file is not None and node != file.node

    def _note_missing(self) -> None:
        self._place.note(ReadingTrouble.MISSING, f"{self._files.path} does not exist")

    async def turn_to_next(self, *, anew: bool = False) -> bool:
        """Turn to the next file with unread bytes, or to the current one.

        Return False if there is nothing new.

        Args:
            anew: survey again before choosing.

        Raises:
            OSError: the folder cannot be examined, or the file cannot be opened.
            CannotUnpackError: the file was packed since the survey.
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
        """Return whether the present file is packed and has changed since it was chosen.

        If so, it is left, and the next survey judges it.
        """
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
        """Leave the present file, which is complete and read to its end.

        A file without a name stays open until a survey has judged its copies.
        """
        place, file = self._place, self._place.file
        if file is not None and file.number is not None:
            known, appearance = place.registry.files[file.number], await file.appearance()
            if file.is_packed or appearance.size == known.read_to.offset:
                place.registry.note_read(known, appearance, self._now())
        self.leave()
        if file is not None:
            await self._close_named(file)

    async def _close_named(self, file: AlertFile) -> None:
        """Close a file that has nothing unread.

        A file without a name stays open until the next survey has judged its copies.
        """
        async with self._in_use:
            if file in self._place.held and not await file.unnamed_bytes():
                await self._close(file)

    def leave(self) -> None:
        """Leave the present file.

        It stays open until a survey has shown that it is not needed.
        """
        file = self._place.file
        if file is not None and file.content.damage is not None:
            self._damaged[Path(file.path)] = damage_of(file.path, file.content)
        self._place.file, self._place.scanned = None, 0

    async def give_up(self, error: OSError) -> None:
        """Leave the present file, which cannot be read.

        It is opened again by its path. After a failover of its file server (ESTALE) it is opened again at once, unless that was done less
        than `AVOIDED_SECONDS` ago. Otherwise it is opened again after all other files.
        """
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
        """Close a file that returns errors, so that its path is opened again.

        An unnamed file with content is kept open, unless its handle is stale.
        """
        unnamed_bytes = 0
        with suppress(OSError):
            unnamed_bytes = await file.unnamed_bytes()
        if error.errno == errno.ESTALE or not unnamed_bytes:
            await self._close(file)

    def look_again(self) -> None:
        """Discard the result of the last survey, which is out of date."""
        self._queue.clear()

    async def keep_the_current_open(self) -> None:
        """Keep the file that `alerts.json` names open, even while the pipeline has no room.

        A file that loses its name cannot be found again.
        """
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
        """Survey the disk for unread files.

        Return False if the survey has to be repeated.
        """
        place, began = self._place, anyio.current_time()
        since = self._since if began - self._surveyed_at < OLD_SURVEY_SECONDS else FIRST_MONTH
        found = await self._files.survey(place.registry, place.held, since)
        place.note_all(ReadingTrouble.FILE_UNREADABLE, found.failed)
        self._failing_since = (self._failing_since or began) if found.failed or found.has_changed else None
        if self._failing_since is not None and began - self._failing_since < PATIENCE_SECONDS:
            return False  # the error may be transient, and files are read in order
        self._surveyed_at = anyio.current_time()
        self._survey_at = self._surveyed_at + _pause_seconds(self._surveyed_at - began)
        self._remember(found, is_of_all_months=since == FIRST_MONTH)
        await self._close_all_but(found)
        await self._tell(found)
        self._queue, self._is_first = self._in_order(found), True
        return True

    def _remember(self, found: Survey, *, is_of_all_months: bool) -> None:
        """Update the registry for files without unread bytes, and determine from which month on the next survey has to look."""
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
        """Record the findings of the survey that an administrator has to know."""
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
        """Close open files that are broken or no longer needed.

        A file is kept if it is the present or the current one, holds unread bytes, or is being packed.
        """
        for broken, error in found.broken:
            if isinstance(broken, AlertFile):
                await self._close_broken(broken, error)
        place, needed = self._place, {id(unread.held) for unread in found.unread}
        for file in list(place.held):
            is_current = file.node == self._current_node
            if file is not place.file and not is_current and id(file) not in needed and not self._is_being_packed(file, found):
                await self._close(file)

    def _is_being_packed(self, file: AlertFile, found: Survey) -> bool:
        """Return whether a packed copy of its first part was written to just now.

        Only the open file can show how much of it the copy holds.
        """
        since = self._now() - PACKING_SECONDS
        return any(whole.number == file.number and copy.status.modified >= since for whole, copy, *_ in found.copies)

    async def _close(self, file: AlertFile) -> None:
        place = self._place
        if file is place.file:
            self.leave()
        place.held.remove(file)
        await file.aclose()

    async def _look_for_a_wrong_link(self, found: Survey) -> None:
        """Detect an `alerts.json` that is not the file to which Wazuh writes."""
        place, current = self._place, found.current
        if await self._files.is_mount_point():
            place.note(ReadingTrouble.MOUNT_POINT, f"{self._files.path} is a separate mount point")
        else:
            place.is_over(ReadingTrouble.MOUNT_POINT)
        newer = [each.path for each in found.sightings if current is not None and _is_newer(each, current)]
        if current is None or not newer or self._still is None or self._still[0] != appearance_of(current):
            place.is_over(ReadingTrouble.STANDS_STILL)
            self._still = (appearance_of(current), anyio.current_time()) if current is not None and newer else None
        elif anyio.current_time() - self._still[1] >= SURVEY_SECONDS:
            place.note(ReadingTrouble.STANDS_STILL, f"{self._files.path} does not change although {newer[0]} was written to after it")

    async def _recognise(self, file: AlertFile, chosen: Unread) -> bool:
        """Set the file's registry number if it is known.

        Return False if it is not, or no longer, what the survey has found.
        """
        registry = self._place.registry
        found = await self._files.match(registry, file)
        if found is None or found.known.is_whole:
            file.number, file.head = None, NO_BYTES
            return True
        if not found.is_shorter:
            known = found.known
            registry.move(known, file.path)
            if known.read_to.offset and (begun := await file.begun_line(known.read_to.offset)) is not None:
                registry.go_back(known, begun)  # reading had stopped in the middle of this line, whose beginning was taken for all of it
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
