"""The tailer: reads whole lines in chunks, follows the file when Wazuh moves on, and waits when nobody takes what it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import anyio
import structlog

from wazuh_dfn.actors.reading import ReadingPlace
from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.delivery.ports import AlertFiles, CheckpointStore, OpenAlertFile, SavedPosition
from wazuh_dfn.errors import CheckpointUnreadableError
from wazuh_dfn.messages import Chunk, count_lines
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.supervision.mailbox import Mailbox

LINE_LIMIT_BYTES = 256 * 1024
"""A line over this is garbage: Wazuh's own limit of 64 KiB an alert, with room for `full_log` repeating `data`."""
FULL_FINGERPRINT_BYTES = 1024
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TailerOptions:
    """`start_at` counts for the very first start alone; `chunk_bytes` is at least `LINE_LIMIT_BYTES`."""

    poll_interval_seconds: float = 1.0
    chunk_bytes: int = LINE_LIMIT_BYTES
    start_at: Literal["end", "beginning"] = "end"


class Tailer:
    """Reads `files` into the router's mailbox `outbox`, keeping its place in `place`."""

    def __init__(
        self,
        files: AlertFiles,
        checkpoints: CheckpointStore,
        ledger: Ledger,
        place: ReadingPlace,
        *,
        outbox: Mailbox[Chunk],
        options: TailerOptions,
    ) -> None:
        self._files = files
        self._checkpoints = checkpoints
        self._ledger = ledger
        self._place = place
        self._outbox = outbox
        self._options = options

    async def run(self, lifeline: Lifeline[None]) -> None:
        """Read until asked to stop."""
        if self._place.file is None:
            await self._resume()
        lifeline.started()
        while not lifeline.stopping.is_set():
            if not (await self._read(lifeline) or await self._follow(lifeline)):
                with anyio.move_on_after(self._options.poll_interval_seconds):
                    await lifeline.stopping.wait()
                await self._begin_truncated_again()
            lifeline.progress()

    async def _resume(self) -> None:
        """Find the place where a former process stopped, or where the very first one is to begin; tried again while there is no file."""
        try:
            saved = await self._checkpoints.load()
        except CheckpointUnreadableError as error:
            self._say_once(f"{error}: reading alerts.json from its beginning, records may be repeated")
            await self._begin(at_end=False)
        else:
            if saved is None:
                await self._begin(at_end=self._options.start_at == "end" and not self._place.has_waited)
            else:
                await self._go_on(saved)
        self._place.has_waited = self._place.file is None

    async def _begin(self, *, at_end: bool) -> None:
        file = await self._open()
        if file is not None:
            await self._move_to(file, await end_of_last_line(file) if at_end else 0)

    async def _go_on(self, saved: SavedPosition) -> None:
        """Go on at the checkpoint, whichever name its file has by now; else with the oldest file that it can't have covered."""
        checkpoint = saved.position
        current = await self._open()
        if current is not None and await current.matches(checkpoint.file):
            size = await current.size()
            if size < checkpoint.offset:
                log.warning(
                    "alerts.json is shorter than at the checkpoint, reading it from its beginning", size=size, was=checkpoint.offset
                )
            await self._move_to(current, checkpoint.offset if size >= checkpoint.offset else 0)
            return
        former = await self._files.open_former(checkpoint.file)
        if former is not None:
            log.info("alerts.json was rotated meanwhile, reading the rest of the former file first", file=former.path)
            await self._move_to(former, checkpoint.offset)
            return
        self._say_once("the file of the checkpoint is gone, reading all files that were written to since it was saved")
        following = await self._files.open_successor(checkpoint.file, saved.saved_at)
        if following is not None:
            await self._move_to(following, 0)

    async def _open(self) -> OpenAlertFile | None:
        try:
            file = await self._files.open_current()
        except OSError as error:
            self._say_once(f"alerts.json can't be opened: {error.strerror or error}")
            return None
        if file is None:
            self._say_once("alerts.json does not exist (yet)")
        return file

    def _say_once(self, problem: str) -> None:
        if problem not in self._place.problems:
            self._place.problems.append(problem)
            log.warning("reading can't go on as usual", reason=problem)

    async def _move_to(self, file: OpenAlertFile, offset: int) -> None:
        self._place.move_to(file, await file.identity(), offset)
        self._ledger.begin_at(self._place.position)
        log.info("reading", file=file.path, offset=offset)

    async def _read(self, lifeline: Lifeline[None]) -> bool:
        """Hand on the next chunk of whole lines; False if there is none by now."""
        file = self._place.file
        if file is None:
            return False
        if self._place.scanned_to:
            return await self._skip_long_line(lifeline, file)
        data = await file.read(self._place.offset, self._options.chunk_bytes)
        end = data.rfind(b"\n") + 1
        if end == 0 and len(data) >= LINE_LIMIT_BYTES:
            self._place.scanned_to = self._place.offset + len(data)
            return True
        if end == 0:
            return False
        await self._hand_on(lifeline, data[:end] if end < len(data) else data)
        return True

    async def _skip_long_line(self, lifeline: Lifeline[None], file: OpenAlertFile) -> bool:
        """Look for the end of a line over the limit, in constant memory; then hand on its beginning, marked."""
        data = await file.read(self._place.scanned_to, self._options.chunk_bytes)
        end = data.find(b"\n") + 1
        if end == 0:
            self._place.scanned_to += len(data)
            return bool(data)
        await self._hand_on_long_line(lifeline, file, self._place.scanned_to + end)
        return True

    async def _hand_on_long_line(self, lifeline: Lifeline[None], file: OpenAlertFile, end: int) -> None:
        head = await file.read(self._place.offset, LINE_LIMIT_BYTES)
        await self._hand_on(lifeline, head, length=end - self._place.offset, oversize=True)
        self._place.scanned_to = 0

    async def _hand_on(self, lifeline: Lifeline[None], data: bytes, *, length: int | None = None, oversize: bool = False) -> None:
        place = self._place
        if place.file is not None and place.identity is not None and place.identity.fingerprint_length < FULL_FINGERPRINT_BYTES:
            place.identity = await place.file.identity()
        length = len(data) if length is None else length
        async with lifeline.reserve(self._outbox) as permit:
            start = place.position
            lines = 1 if oversize else count_lines(data)
            permit.put(Chunk(self._ledger.open_chunk(start, length, lines), start, data, oversize))
            place.offset += length

    async def _follow(self, lifeline: Lifeline[None]) -> bool:
        """At the end of what there is: go on to the file that Wazuh wrote next."""
        place = self._place
        if place.file is None:
            await self._resume()
            return place.file is not None
        if place.successor is not None:
            await self._hand_on_rest(lifeline, place.file)
            await place.file.aclose()
            file, place.successor = place.successor, None
            await self._move_to(file, 0)
            return True
        if not await self._files.is_current(place.file):
            identity = await place.file.identity()
            place.successor = await self._files.open_successor(identity, await place.file.modified())
        return place.successor is not None

    async def _hand_on_rest(self, lifeline: Lifeline[None], file: OpenAlertFile) -> None:
        """The file is complete, so bytes after its last line feed are all there will be of that line."""
        if self._place.scanned_to:
            await self._hand_on_long_line(lifeline, file, self._place.scanned_to)
        elif data := await file.read(self._place.offset, self._options.chunk_bytes):
            await self._hand_on(lifeline, data)

    async def _begin_truncated_again(self) -> None:
        """Look before reading on after a pause: a file that shrank, or has other first bytes, is a new one in the old one's place."""
        place = self._place
        if place.file is None or place.identity is None:
            return
        size = await place.file.size()
        if size < place.offset or not await place.file.matches(place.identity):
            log.warning("alerts.json was truncated, reading it from its beginning", size=size, read_to=place.offset)
            await self._move_to(place.file, 0)


async def end_of_last_line(file: OpenAlertFile) -> int:
    """Return the offset behind the last line feed, searching backwards; 0 if there is none."""
    end = await file.size()
    while end > 0:
        start = max(0, end - LINE_LIMIT_BYTES)
        found = (await file.read(start, end - start)).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
