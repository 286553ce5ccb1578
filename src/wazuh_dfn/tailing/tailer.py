"""The tailer: reads unread alert files in order and waits while the pipeline has no room."""

from __future__ import annotations

import anyio
import structlog

from wazuh_dfn.errors import CannotUnpackError, FileTruncatedError
from wazuh_dfn.messages import Position
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.tailing.alert_file import AlertFile
from wazuh_dfn.tailing.beginning import Beginning
from wazuh_dfn.tailing.chunks import ChunkReader
from wazuh_dfn.tailing.open_files import OpenFiles
from wazuh_dfn.tailing.place import ReadingPlace, ReadingTrouble

SHORTEST_WAIT_SECONDS = 0.02
"""The wait after a successful read, doubled each time up to the poll interval, because alerts rarely come alone."""
TRIES = 3
"""Number of errors in a row after which a file is opened again."""
log = structlog.get_logger(__name__)


class Tailer:
    """Reads the file that `files` selects into `place`.

    Args:
        place: the reading position and the open files.
        beginning: fills the registry, and is called until it has succeeded once.
        files: selects the next file.
        reader: reads chunks and passes them on.
        poll_interval_seconds: maximum time between two checks of a file for new data.
    """

    def __init__(
        self, place: ReadingPlace, beginning: Beginning, files: OpenFiles, reader: ChunkReader, poll_interval_seconds: float = 1.0
    ) -> None:
        self._place = place
        self._beginning = beginning
        self._files = files
        self._reader = reader
        self._poll_interval_seconds = poll_interval_seconds
        self._errors = 0
        """Number of errors in a row with the present file."""

    async def run(self, lifeline: Lifeline[None]) -> None:
        """Read until asked to stop."""
        lifeline.started()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._files.keep_the_current_open)
            await self._read_until_stopping(lifeline)
            tasks.cancel_scope.cancel()

    async def _read_until_stopping(self, lifeline: Lifeline[None]) -> None:
        wait_seconds = 0.0
        while not lifeline.stopping.is_set():
            if await self._step(lifeline):
                wait_seconds = 0.0
            else:
                wait_seconds = min(2 * wait_seconds or SHORTEST_WAIT_SECONDS, self._poll_interval_seconds)
                with anyio.move_on_after(wait_seconds):
                    await lifeline.stopping.wait()
            lifeline.progress()

    async def _step(self, lifeline: Lifeline[None]) -> bool:
        """Read a chunk, or turn to another file.

        Return False if there is nothing to do now.
        """
        place = self._place
        try:
            if not place.registry.is_begun:
                with lifeline.waiting("the search for where reading stopped"):
                    await self._beginning.begin()
            file, at = place.file, place.at
            if file is None or at is None:
                has_work = await self._turn_to_next(lifeline)
            else:
                has_work = await self._read(lifeline, file, at)
        except FileTruncatedError as error:
            log.warning("alert file was truncated, looking for what was in it", file=str(error))
            self._files.leave()
            return True
        except CannotUnpackError as error:
            log.warning("alert file was packed just now", reason=str(error))
        except OSError as error:
            await self._failed(error)
        else:
            self._errors = 0
            return has_work
        return False

    async def _read(self, lifeline: Lifeline[None], file: AlertFile, at: Position) -> bool:
        """Read the present file, and at its end look for the next one."""
        if await self._reader.read(lifeline, file, at):
            return True
        if not self._place.is_complete:
            is_due = await self._files.is_replaced() or self._files.is_survey_due
            return is_due and await self._turn_to_next(lifeline, anew=True)
        if await self._files.is_packed_again():
            return True
        if not await self._reader.read_rest(lifeline, file, at):
            return False
        await self._files.finish()
        return await self._turn_to_next(lifeline)

    async def _turn_to_next(self, lifeline: Lifeline[None], *, anew: bool = False) -> bool:
        self._errors = 0  # an error from here on is no reason to close the present file, which may have lost its name
        with lifeline.waiting("a survey of the alert files"):  # packed ones may have to be unpacked
            return await self._files.turn_to_next(anew=anew)

    async def _failed(self, error: OSError) -> None:
        """Record the error, unless the file was not found.

        After `TRIES` errors in a row the present file is given up (see `OpenFiles.give_up`).
        """
        place, file = self._place, self._place.file
        self._files.look_again()
        if isinstance(error, FileNotFoundError):
            return  # renamed or packed since the survey, so the next survey finds it
        path = file.path if file is not None else error.filename or "the folder of the alert file"
        place.note(ReadingTrouble.UNREADABLE, f"{path} cannot be read: {error.strerror or error}")
        self._errors += 1
        if file is not None and self._errors >= TRIES:
            self._errors = 0
            await self._files.give_up(error)
