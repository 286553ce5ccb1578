"""Reads whole lines in chunks and passes them on.

Lines of any size need only bounded memory.
"""

from __future__ import annotations

from dataclasses import replace

import anyio

from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.messages import FINGERPRINT_BYTES, KEPT_LINE_BYTES, LINE_LIMIT_BYTES, Chunk, Fingerprint, Position, count_lines
from wazuh_dfn.supervision.lifeline import Lifeline
from wazuh_dfn.supervision.mailbox import Mailbox
from wazuh_dfn.tailing.alert_file import AlertFile
from wazuh_dfn.tailing.place import ReadingPlace

UNSETTLED_BYTES = 4 * 1024 * 1024
"""Maximum total of unsettled bytes when a line longer than a chunk is read. As objects and records they take ten times as much memory."""
REST_SECONDS = 10.0
"""Time for which the bytes after the last line feed of a complete file must stay unchanged before they count as a whole line."""
_WAIT_SECONDS = 0.02


class ChunkReader:
    """Reads the present file of `place` into the router's mailbox `outbox`, `chunk_bytes` at a time."""

    def __init__(self, place: ReadingPlace, ledger: Ledger, outbox: Mailbox[Chunk], chunk_bytes: int) -> None:
        self._place = place
        self._ledger = ledger
        self._outbox = outbox
        self._chunk_bytes = chunk_bytes
        self._rest: tuple[Position, int] | None = None
        """The bytes after the last line feed: their position and number."""
        self._rest_since = 0.0

    async def read(self, lifeline: Lifeline[None], file: AlertFile, at: Position) -> bool:
        """Pass on the next chunk of whole lines.

        Return False if there is none yet.

        Raises:
            FileTruncatedError: the file no longer holds the position.
            OSError: the file cannot be read.
        """
        place = self._place
        data = await file.read(at, self._chunk_bytes, skip=place.scanned)
        end = (data.find(b"\n") if place.scanned else data.rfind(b"\n")) + 1
        if end and not place.scanned:
            await self._hand_on(lifeline, file, at, data[:end] if end < len(data) else data)
        elif end:
            await self._hand_on_long_line(lifeline, file, at, place.scanned + end)
        elif place.scanned or len(data) >= self._chunk_bytes:
            place.scanned += len(data)
            if not data and await file.size() < at.offset + place.scanned:
                place.scanned = 0  # truncated within this line
                return True
            return bool(data)
        return bool(end)

    async def read_rest(self, lifeline: Lifeline[None], file: AlertFile, at: Position, quiet_seconds: float | None = None) -> bool:
        """Pass on what follows the last line feed of a complete file.

        Return True once nothing is left.
        """
        length = await file.size() - at.offset
        if length <= 0:
            return True
        if (at, length) != self._rest:
            self._rest, self._rest_since = (at, length), anyio.current_time()
        quiet_seconds = REST_SECONDS if quiet_seconds is None else quiet_seconds
        may_grow = not file.is_packed or file.content.damage is not None  # one that ends early may still be being packed
        if may_grow and anyio.current_time() - self._rest_since < quiet_seconds:
            return False
        await self._hand_on_long_line(lifeline, file, at, length)
        return False

    async def _hand_on_long_line(self, lifeline: Lifeline[None], file: AlertFile, at: Position, length: int) -> None:
        """Pass on one line of that length.

        If the data now has several lines or another length, nothing is passed on: the file was truncated within the line and written to
        again.
        """
        if length > self._chunk_bytes:
            with lifeline.waiting("lines before a long one to be settled"):
                while (bytes_open := self._ledger.open_bytes) and bytes_open + length > UNSETTLED_BYTES:  # noqa: ASYNC110 - rare
                    await anyio.sleep(_WAIT_SECONDS)
        if length <= KEPT_LINE_BYTES:
            data, cut = await file.read(at, length), 0
        else:
            half = KEPT_LINE_BYTES // 2
            data, cut = await file.read(at, half) + await file.read(at, half, skip=length - half), length - 2 * half
        if len(data) + cut != length or data.find(b"\n", 0, -1) >= 0:
            self._place.scanned = 0
            return
        await self._hand_on(lifeline, file, at, data, oversize=length > LINE_LIMIT_BYTES, cut=cut)

    async def _hand_on(
        self, lifeline: Lifeline[None], file: AlertFile, at: Position, data: bytes, *, oversize: bool = False, cut: int = 0
    ) -> None:
        if file.head.length < FINGERPRINT_BYTES:
            file.head = await _head(file, at, data)
        if file.number is None:
            file.number = self._place.registry.add(file.path).number
        self._place.registry.files[file.number].head = file.head
        at = replace(at, file=file.number)
        end = at.after(len(data) + cut, data)
        lines = 1 if oversize else count_lines(data)
        async with lifeline.reserve(self._outbox) as permit:
            permit.put(Chunk(self._ledger.open_chunk(end, lines, len(data)), at, data, lines, oversize=oversize, cut=cut))
            self._place.go_on(end)


async def _head(file: AlertFile, at: Position, data: bytes) -> Fingerprint:
    """Return the fingerprint of the first bytes, now that more of them were read.

    `data` was read at the position.

    Raises:
        FileTruncatedError: the file no longer holds the position.
    """
    if at.offset == 0:
        return Fingerprint.of(data[:FINGERPRINT_BYTES])
    beginning = replace(at, offset=0, tail=Fingerprint.of(b""))
    first = await file.read(beginning, min(FINGERPRINT_BYTES, at.offset + len(data)))
    await file.read(at, 1)  # raises if the first bytes belong to another content by now
    return Fingerprint.of(first)
