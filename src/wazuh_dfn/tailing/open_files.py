"""The open alert files: what a survey finds is opened in its order, and what has lost its name is held until it is read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import anyio
import structlog

from wazuh_dfn.errors import CannotUnpackError
from wazuh_dfn.messages import FINGERPRINT_BYTES, Fingerprint, Position
from wazuh_dfn.tailing.alert_file import AlertFile, AlertFiles, Named
from wazuh_dfn.tailing.place import ReadingPlace, Trouble
from wazuh_dfn.tailing.registry import appearance_of
from wazuh_dfn.tailing.survey import Survey, Unread, damage_of

SURVEY_SECONDS = 10.0
"""How often all files are looked at, besides when one was read to its end."""
FAILED_SURVEYS = 3
"""After this many surveys in a row in which a file could not be looked into, the others are read without it."""
AVOIDED_SECONDS = 60.0
"""For how long a file that could not be read comes after all others."""
CLOCKS_DIFFER_SECONDS = 2.0
log = structlog.get_logger(__name__)


class OpenFiles:
    """Turns `place` to the file that is to be read next. `now` is the clock of the file system, in seconds since the epoch."""

    def __init__(self, files: AlertFiles, place: ReadingPlace, now: Callable[[], float]) -> None:
        self._files = files
        self._place = place
        self._now = now
        self._queue: list[Unread] = []
        """What the last survey has found and was not read yet; at last the current file, even if it is empty."""
        self._survey_at = 0.0
        self._failed_surveys = 0
        self._has_looked_everywhere = False
        self._has_current = False
        self._avoided: dict[str, float] = {}
        """By path, until when."""
        self._damaged: dict[Path, str] = {}
        self._newer: dict[Path, float] = {}
        """Files that were written to after the current one, and when they were as that was first seen."""
        self._in_use = anyio.Lock()

    @property
    def is_survey_due(self) -> bool:
        """Whether the last survey is too long ago."""
        return anyio.current_time() >= self._survey_at

    async def named(self) -> Named:
        """Return what `alerts.json` names by now; that it names nothing is trouble."""
        named = await self._files.named(self._place.file)
        if named == "nothing":
            self._place.note(Trouble.MISSING, f"{self._files.path} does not exist")
        else:
            self._place.is_over(Trouble.MISSING)
        return named

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
        async with self._in_use:
            file = next((file for file in place.held if file is chosen.held or file.node == chosen.sighting.status.node), None)
            if file is None:
                file = await self._files.open(chosen.sighting.path)
                place.held.append(file)
            if not await self._recognise(file, chosen):
                self.look_again()
                return True
        may_grow = chosen.sighting.is_current or not (self._has_current or self._queue)  # without alerts.json, the last of all
        place.is_complete = file.is_packed or not may_grow
        if file is present:
            return place.is_complete
        place.file, place.scanned = file, 0
        log.info("reading", file=file.path, offset=place.at.offset if place.at is not None else 0)
        return True

    def leave(self) -> None:
        """Leave the present file; it stays open until a survey has shown that nothing else needs it."""
        file = self._place.file
        if isinstance(file, AlertFile) and file.content.damage is not None:
            self._damaged[Path(file.path)] = damage_of(file.path, file.content)
        self._place.file, self._place.scanned = None, 0

    async def give_up(self) -> None:
        """Close the present file, which can't be read; it is opened again by its path, after all others."""
        file = self._place.file
        self.leave()
        for each in [each for each in self._place.held if each is file]:
            self._avoided[each.path] = anyio.current_time() + AVOIDED_SECONDS
            async with self._in_use:
                with suppress(OSError):
                    await self._close(each)

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
        place = self._place
        if place.file is None:
            return
        for file in place.held:
            if await self._files.named(file) == "this":
                return
        for file in [file for file in place.held if file is not place.file]:
            if await file.has_name():
                await self._close(file)
        current = await self._files.open_current()
        if current is not None:
            place.held.append(current)

    async def _survey(self) -> bool:
        """Find what is unread; False if that has to be tried again."""
        place, registry, now = self._place, self._place.registry, self._now
        found = await self._files.survey(registry, place.held, everything=not self._has_looked_everywhere)
        place.note_all(Trouble.FILE_UNREADABLE, found.failed)
        self._failed_surveys = self._failed_surveys + 1 if found.failed else 0
        if 0 < self._failed_surveys < FAILED_SURVEYS:
            return False  # it may pass, and files are read in their order
        for file in [file for file in place.held if file in found.lost]:
            if file is place.file:
                self.leave()
            with suppress(OSError):
                await self._close(file)
        self._has_looked_everywhere = not found.failed and all(unread.sighting.is_current for unread in found.unread)
        self._survey_at = anyio.current_time() + SURVEY_SECONDS
        self._has_current = found.current is not None
        registry.passed_over = frozenset(found.passed_over)
        for known, sighting in found.read:
            registry.note_read(known, appearance_of(sighting), now())
        for whole, sighting, head, end in found.copies:
            registry.note_read(registry.add_copy(whole, str(sighting.path), head, end), appearance_of(sighting), now())
        await self._close_all_but(found)
        self._forget(found)
        place.note_all(Trouble.CANNOT_UNPACK, found.cannot_unpack)
        there = {sighting.path for sighting in found.sightings}
        self._damaged = {path: text for path, text in (self._damaged | found.damaged).items() if path in there}
        place.note_all(Trouble.DAMAGED, self._damaged)
        await self._look_for_a_wrong_link(found)
        self._queue = self._in_order(found)
        place.is_over(Trouble.UNREADABLE)
        return True

    def _forget(self, found: Survey) -> None:
        keep = [*(file.number for file in self._place.held), *(unread.number for unread in found.unread)]
        unknown = [unread.sighting.status.modified for unread in found.unread if unread.number is None and not unread.sighting.is_current]
        self._place.registry.forget(found.sightings, [number for number in keep if number is not None], min([self._now(), *unknown]))

    def _in_order(self, found: Survey) -> list[Unread]:
        now = anyio.current_time()
        self._avoided = {path: until for path, until in self._avoided.items() if until > now}
        queue = sorted(found.unread, key=lambda unread: str(unread.sighting.path) in self._avoided)
        if found.current is None:
            self._place.note(Trouble.MISSING, f"{self._files.path} does not exist")
        elif not any(unread.sighting.is_current for unread in queue):
            queue.append(Unread(found.current))
        return queue

    async def _close_all_but(self, found: Survey) -> None:
        """Close what is not read, is not the current file, and holds nothing unread."""
        place, needed = self._place, {id(unread.held) for unread in found.unread}
        for file in list(place.held):
            is_current = found.current is not None and file.node == found.current.status.node
            if file is not place.file and not is_current and id(file) not in needed:
                await self._close(file)

    async def _close(self, file: AlertFile) -> None:
        place = self._place
        place.held.remove(file)
        known = place.registry.files.get(file.number or 0)
        if known is not None and known.read_to.offset == 0 and all(other.number != file.number for other in place.held):
            place.registry.drop(known)  # nothing of its content is known
        await file.aclose()

    async def _look_for_a_wrong_link(self, found: Survey) -> None:
        """Notice that `alerts.json` is not what Wazuh writes to."""
        place, current = self._place, found.current
        if await self._files.is_mount_point():
            place.note(Trouble.MOUNT_POINT, f"{self._files.path} is a mount point of its own")
        else:
            place.is_over(Trouble.MOUNT_POINT)
        written = current.status.modified + CLOCKS_DIFFER_SECONDS if current is not None else float("inf")
        dated = [(each.path, each.status.modified) for each in found.sightings if each.slot is not None and not each.has_packed_name]
        newer = {path: modified for path, modified in dated if modified > written}
        growing = [path for path, modified in newer.items() if modified > self._newer.get(path, modified)]
        if growing:
            place.note(Trouble.STANDS_STILL, f"{self._files.path} stands still while {growing[0]} grows")
        elif not newer:
            place.is_over(Trouble.STANDS_STILL)
        self._newer = {path: self._newer.get(path, modified) for path, modified in newer.items()}

    async def _recognise(self, file: AlertFile, chosen: Unread) -> bool:
        """Find its number in the registry, or give it one; False if it is not what the survey has found (any more)."""
        registry = self._place.registry
        found = await self._files.match(registry, file)
        if found is None or found.known.is_whole:
            known = registry.add(file.path)
        elif not found.is_shorter:
            known = found.known
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
