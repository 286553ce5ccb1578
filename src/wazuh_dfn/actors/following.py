"""From one file to the next: the one that Wazuh wrote after it, and before that what logrotate copied and truncated."""

from __future__ import annotations

import structlog

from wazuh_dfn.actors.reading import ReadingPlace, beginning_of
from wazuh_dfn.delivery.ports import AlertFiles, OpenAlertFile
from wazuh_dfn.errors import FileTruncatedError
from wazuh_dfn.messages import FileIdentity, Position

log = structlog.get_logger(__name__)


class Following:
    """Moves the place from file to file; the tailer tells when there is nothing left to read in one."""

    def __init__(self, files: AlertFiles, place: ReadingPlace) -> None:
        self._files = files
        self._place = place

    async def find_successor(self, file: OpenAlertFile, at: Position) -> bool:
        """Look for the file after this one, which is complete if there is one; False if nothing can be done now."""
        place = self._place
        if await self._files.is_current(file):
            return False
        is_copy = file.path != at.path
        identities = [] if is_copy else [await file.identity(), *([place.former] if place.former is not None else [])]
        successor = await self._files.open_successor(identities, await file.modified(), at.path)
        if successor is not None and (await successor.identity()).node == (await file.identity()).node:
            await successor.aclose()  # the path named nothing for a moment
            return False
        if successor is None:
            place.note_problem(f"{at.path} does not exist any more")
        place.successor = successor
        return successor is not None

    async def leave(self, file: OpenAlertFile, identity: FileIdentity, last_written: float, successor: OpenAlertFile) -> None:
        """Go on to the successor of a complete file that is handed on; identity and time (seconds since the epoch) are from before that."""
        if not file.is_gzipped:  # the time of a gzipped file is that of the gzipping
            self._place.copies_since = max(self._place.copies_since, last_written)
        await self._move_on(successor)
        if identity.head.length:
            self._place.former = identity
        await file.aclose()

    async def look_for_copy(self, file: OpenAlertFile, at: Position) -> None:
        """Notice that a file, which was just begun when it was opened, was written to, copied and truncated before it was looked at again.

        Raises:
            FileTruncatedError: it was.
        """
        copy = await self._files.open_copy(self._place.copies_since, await file.modified())
        if copy is not None:
            await copy.aclose()
            raise FileTruncatedError(at.path)

    async def begin_truncated_again(self, file: OpenAlertFile, at: Position) -> None:
        """Read what is in the file's place from its beginning; but before, the rest of the old content if logrotate made a copy."""
        place = self._place
        log.warning("alerts.json was truncated, reading it from its beginning", read_to=at.offset)
        if place.successor is not None:
            await place.successor.aclose()  # it will be found again, after what is in the truncated file
            place.successor = None
        copy = await self._files.open_former(at) if at.is_telling else None
        if copy is None:
            await self._move_on(file)
        else:
            copied_at = await copy.modified()
            place.successor, place.copies_since = file, copied_at
            place.move_to(copy, at)

    async def _move_on(self, successor: OpenAlertFile) -> None:
        """Begin with the successor; but before, with what was in it, or in a file between, until logrotate copied and truncated it.

        The ledger hears of a new file with its first lines: an empty one may be deleted, and would not be found again.
        """
        place = self._place
        beginning = await beginning_of(successor)  # before looking for copies: if it is truncated later, that will be noticed
        copy = await self._files.open_copy(place.copies_since, await successor.modified())
        if copy is None:
            place.successor = None
            place.move_to(successor, beginning)
        else:
            copied_at, beginning_of_copy = await copy.modified(), await beginning_of(copy)
            place.successor, place.copies_since = successor, copied_at
            place.move_to(copy, beginning_of_copy)
