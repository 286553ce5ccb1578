"""The tailer: reads whole lines in chunks, follows the file when Wazuh moves on, and waits when nobody takes what it reads."""

from __future__ import annotations

from dataclasses import dataclass, replace

import anyio

from wazuh_dfn.actors.following import Following
from wazuh_dfn.actors.reading import ReadingPlace
from wazuh_dfn.actors.resuming import Resuming
from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.delivery.ports import AlertFiles, OpenAlertFile
from wazuh_dfn.errors import FileTruncatedError
from wazuh_dfn.messages import FINGERPRINT_BYTES, LINE_LIMIT_BYTES, Chunk, FileIdentity, Fingerprint, Position, count_lines
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.supervision.mailbox import Mailbox

SHORTEST_WAIT_SECONDS = 0.02
"""Before the file is looked at again after something was read, doubled each time up to the poll interval: alerts rarely come alone."""


@dataclass(frozen=True, slots=True)
class TailerOptions:
    """`chunk_bytes` is how much is read at a time; a line may be longer."""

    poll_interval_seconds: float = 1.0
    chunk_bytes: int = LINE_LIMIT_BYTES


class Tailer:
    """Reads `files` into the router's mailbox `outbox`, keeping its place in `place`; `resuming` finds that place at first."""

    def __init__(
        self, files: AlertFiles, resuming: Resuming, ledger: Ledger, place: ReadingPlace, *, outbox: Mailbox[Chunk], options: TailerOptions
    ) -> None:
        self._following = Following(files, place)
        self._resuming = resuming
        self._ledger = ledger
        self._place = place
        self._outbox = outbox
        self._options = options

    async def run(self, lifeline: Lifeline[None]) -> None:
        """Read until asked to stop."""
        lifeline.started()
        wait_seconds = 0.0
        while not lifeline.stopping.is_set():
            if await self._step(lifeline):
                wait_seconds = 0.0
            else:
                wait_seconds = min(2 * wait_seconds or SHORTEST_WAIT_SECONDS, self._options.poll_interval_seconds)
                with anyio.move_on_after(wait_seconds):
                    await lifeline.stopping.wait()
            lifeline.progress()

    async def _step(self, lifeline: Lifeline[None]) -> bool:
        """Read some, or go on to another file; False if there is nothing to do now."""
        place = self._place
        if place.file is None or place.at is None:
            with lifeline.waiting("the search for where reading stopped"):  # gzipped files may have to be unpacked up to there
                found = await self._resuming.find()
            if found is not None:
                self._ledger.begin_at(found[1])
                place.move_to(*found)
            return found is not None
        try:
            try:
                return await self._read(lifeline, place.file, place.at) or await self._follow(lifeline, place.file, place.at)
            except FileTruncatedError:
                with lifeline.waiting("the search for what was truncated"):
                    await self._following.begin_truncated_again(place.file, place.at)
                return True
        except OSError as error:
            self._place.note_problem(f"an alert file can't be read: {error}")
            return False

    async def _read(self, lifeline: Lifeline[None], file: OpenAlertFile, at: Position) -> bool:
        """Hand on the next chunk of whole lines; False if there is none by now."""
        if self._place.skipped:
            return await self._skip_long_line(lifeline, file, at)
        data = await file.read(at, self._options.chunk_bytes)
        end = data.rfind(b"\n") + 1
        if end == 0 and self._options.chunk_bytes <= len(data) < LINE_LIMIT_BYTES:
            data = await file.read(at, LINE_LIMIT_BYTES)
            end = data.rfind(b"\n") + 1
        if end == 0 and len(data) >= LINE_LIMIT_BYTES:
            self._place.skipped = len(data)
            return True
        if end == 0:
            return False
        await self._hand_on(lifeline, file, at, data[:end] if end < len(data) else data)
        return True

    async def _skip_long_line(self, lifeline: Lifeline[None], file: OpenAlertFile, at: Position) -> bool:
        """Look for the end of a line over the limit, in constant memory; then hand on its beginning, marked."""
        data = await file.read(at, self._options.chunk_bytes, skip=self._place.skipped)
        end = data.find(b"\n") + 1
        if end:
            await self._hand_on_long_line(lifeline, file, at, self._place.skipped + end)
            return True
        self._place.skipped += len(data)
        if not data and await file.size() < at.offset + self._place.skipped:
            self._place.skipped = 0  # truncated within this line
            return True
        return bool(data)

    async def _hand_on_long_line(self, lifeline: Lifeline[None], file: OpenAlertFile, at: Position, length: int) -> bool:
        """Keep both ends: after a crash of the writer, a whole alert can stand at the end of a line of garbage.

        False if there are several lines by now: the file was truncated within this one, and written anew.
        """
        if not await _is_one_line(file, at, length, self._options.chunk_bytes):
            self._place.skipped = 0
            return False
        half = LINE_LIMIT_BYTES // 2
        ends = await file.read(at, half) + await file.read(at, half, skip=length - half)
        await self._hand_on(lifeline, file, at, ends, skipped=length)
        return True

    async def _hand_on(self, lifeline: Lifeline[None], file: OpenAlertFile, at: Position, data: bytes, *, skipped: int = 0) -> None:
        if not at.is_telling:
            await self._following.look_for_copy(file, at)
        if at.file.head.length < FINGERPRINT_BYTES:
            at = replace(at, file=await _better_known(file, at, data))
        lines = 1 if skipped else count_lines(data)
        end = at.after(skipped or len(data), data)
        async with lifeline.reserve(self._outbox) as permit:
            permit.put(Chunk(self._ledger.open_chunk(end, lines), at, data, lines, oversize=bool(skipped)))
            self._place.go_on(end)

    async def _follow(self, lifeline: Lifeline[None], file: OpenAlertFile, at: Position) -> bool:
        """At the end of what there is: go on to the file that Wazuh wrote next."""
        successor = self._place.successor
        if successor is None:
            return await self._following.find_successor(file, at)
        last_written, identity = await file.modified(), await file.identity()
        if await self._hand_on_rest(lifeline, file, at):
            await self._following.leave(file, identity, last_written, successor)
        return True

    async def _hand_on_rest(self, lifeline: Lifeline[None], file: OpenAlertFile, at: Position) -> bool:
        """The file is complete, so bytes after its last line feed are all there will be of that line; False if there is more to read."""
        if self._place.skipped:
            return await self._hand_on_long_line(lifeline, file, at, self._place.skipped)
        if data := await file.read(at, self._options.chunk_bytes):
            await self._hand_on(lifeline, file, at, data)
        return True


async def _is_one_line(file: OpenAlertFile, at: Position, length: int, chunk_bytes: int) -> bool:
    """Tell whether the `length` bytes from `at` hold no line feed before their last byte."""
    for start in range(0, length - 1, chunk_bytes):
        if b"\n" in await file.read(at, min(chunk_bytes, length - 1 - start), skip=start):
            return False
    return True


async def _better_known(file: OpenAlertFile, at: Position, data: bytes) -> FileIdentity:
    """Return the file's identity by more first bytes than there were when it was opened; `data` was read at the position."""
    if at.offset == 0:
        return replace(at.file, head=Fingerprint.of(data[:FINGERPRINT_BYTES]))
    identity = await file.identity()
    if not await file.holds(replace(at, file=identity)):
        raise FileTruncatedError(at.path)
    return identity
