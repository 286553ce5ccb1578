"""Where reading begins: at the checkpoint, whichever name its file has by now, or where the very first start is to begin."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Literal

import structlog

from wazuh_dfn.actors.reading import ReadingPlace, beginning_of
from wazuh_dfn.delivery.ports import AlertFiles, CheckpointStore, OpenAlertFile, SavedPosition
from wazuh_dfn.errors import CheckpointUnreadableError
from wazuh_dfn.messages import NO_BYTES, Position

SEARCH_BYTES = 64 * 1024
log = structlog.get_logger(__name__)

type Place = tuple[OpenAlertFile, Position]


class Resuming:
    """Finds the place to begin at; `start_at` counts for the very first start alone, when there is no checkpoint."""

    def __init__(
        self, files: AlertFiles, checkpoints: CheckpointStore, place: ReadingPlace, start_at: Literal["end", "beginning"] = "end"
    ) -> None:
        self._files = files
        self._checkpoints = checkpoints
        self._place = place
        self._start_at = start_at

    async def find(self) -> Place | None:
        """Return the file and the position in it; None while there is no file, or none that can be opened, to be tried again."""
        try:
            found = await self._find()
        except OSError as error:
            self._place.note_problem(f"{error.filename or self._files.path} can't be opened: {error.strerror or error}")
            found = None
        self._place.has_waited = found is None
        return found

    async def _find(self) -> Place | None:
        try:
            saved = await self._checkpoints.load()
        except CheckpointUnreadableError as error:
            self._place.note_problem(f"{error}: reading all files that were written to since, records may be repeated")
            return await self._following_place(error.saved_at)
        if saved is None:
            return await self._first_place(at_end=self._start_at == "end" and not self._place.has_waited)
        return await self._saved_place(saved)

    async def _first_place(self, *, at_end: bool) -> Place | None:
        """Begin anew, and note where at once: from now on nothing may be left out, even if this process is killed before it settles any."""
        file = await self._open_current()
        if file is None:
            return None
        position = await beginning_of(file)
        if at_end:
            position = replace(position, offset=await end_of_last_line(file))
        self._place.copies_since = await file.modified()
        with suppress(OSError):  # the checkpointer tries the same again, and tells
            await self._checkpoints.save(position)
        return file, position

    async def _saved_place(self, saved: SavedPosition) -> Place | None:
        checkpoint = saved.position
        self._place.copies_since = saved.saved_at
        current = await self._open_current()
        if current is not None and await current.holds(checkpoint):
            return current, replace(checkpoint, path=current.path)
        if current is not None:
            await current.aclose()
        former = await self._files.open_former(checkpoint)
        if former is not None:
            log.info("alerts.json was rotated or truncated meanwhile, reading the rest of the former file first", file=former.path)
            # the time of a gzipped dated file is that of the gzipping
            written = former.begun if former.is_gzipped and former.begun else await former.modified()
            # it may have been copied and truncated since; at the beginning of a file there is no content that would show it
            self._place.copies_since = written if checkpoint.is_telling else min(written, saved.saved_at)
            return former, replace(checkpoint, path=former.path) if former.begun else checkpoint
        truncated = await self._files.open_former(replace(checkpoint, offset=0, tail=NO_BYTES))
        if truncated is not None:
            log.warning("the file of the checkpoint was truncated, reading it from its beginning", file=truncated.path)
            # copies of the file after it may have been made while this one was still read
            self._place.copies_since = min(saved.saved_at, await truncated.modified())
            return truncated, await beginning_of(truncated)
        self._place.note_problem(
            "the file of the checkpoint is gone or was truncated, reading all files that were written to since it was saved"
        )
        return await self._following_place(saved.saved_at, checkpoint.path)

    async def _following_place(self, saved_at: float, path: str = "") -> Place | None:
        """Begin with the oldest file that was written to since; see `AlertFiles.open_successor`."""
        following = await self._files.open_successor([], saved_at, path)
        if following is None:
            return None
        self._place.copies_since = saved_at
        copy = await self._files.open_copy(saved_at, await following.modified())
        if copy is not None:
            self._place.copies_since = await copy.modified()
            self._place.successor, following = following, copy
        return following, await beginning_of(following)

    async def _open_current(self) -> OpenAlertFile | None:
        file = await self._files.open_current()
        if file is None:
            self._place.note_problem(f"{self._files.path} does not exist (yet)")
        return file


async def end_of_last_line(file: OpenAlertFile) -> int:
    """Return the offset behind the last line feed, searching backwards; 0 if there is none."""
    beginning = await beginning_of(file)
    end = await file.size()
    while end > 0:
        start = max(0, end - SEARCH_BYTES)
        found = (await file.read(beginning, end - start, skip=start)).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
