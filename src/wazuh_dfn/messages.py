"""Messages between the actors, immutable and in batches, and the positions in files that they come from.

What is made for each line is a named tuple, which is faster to create.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, NamedTuple, NewType, Self

from wazuh_dfn import byte_search

type KindName = str
"""Name of a kind of alert (`kinds.catalogue`). One line can result in one record of each kind."""

Ticket = NewType("Ticket", int)
"""Identifies one chunk in the ledger, and increases by one with each chunk."""


DIGEST_LENGTH = 32
FINGERPRINT_BYTES = 1024
"""Maximum number of bytes that a fingerprint covers."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The first half of the SHA-256, in hex, of `length` bytes (0 to `FINGERPRINT_BYTES`) of a file."""

    digest: str
    length: int

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Return the fingerprint of all of `data`."""
        return cls(_digest(data), len(data))

    def fits(self, data: bytes) -> bool:
        """Return whether the fingerprint is that of the first `length` bytes of `data`."""
        return len(data) >= self.length and _digest(data[: self.length]) == self.digest


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()[:DIGEST_LENGTH]


NO_BYTES = Fingerprint.of(b"")


@dataclass(frozen=True, slots=True)
class Position:
    """A byte in a file.

    Everything before `offset` (in bytes) has been read. `file` is the number of the file in the registry of known files, or 0 outside of
    one. `path` and `inode` are those of the file when it was read. `tail` is the fingerprint of the bytes just before `offset` as they were
    read (at most `FINGERPRINT_BYTES`).
    """

    path: str
    inode: int
    offset: int
    tail: Fingerprint = NO_BYTES
    file: int = 0

    def after(self, length: int, data: bytes) -> Position:
        """Return the position `length` bytes further on.

        `data` ends with the last of those bytes.
        """
        return replace(self, offset=self.offset + length, tail=Fingerprint.of(data[-FINGERPRINT_BYTES:]))


LINE_LIMIT_BYTES = 4 * 1024 * 1024
"""Maximum length of a line that is read as alerts.

Wazuh writes lines of up to 3.4 MB, because composite rules repeat earlier events in `previous_output`.
"""

KEPT_LINE_BYTES = 64 * 1024 * 1024
"""Maximum length of a line that is kept whole as a dead letter. Of a longer one, both ends are kept."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines as read.

    `data` starts at `start.offset`. Its last line may lack the line feed at the end of a complete file. `oversize` marks one line over
    `LINE_LIMIT_BYTES`. `data` lacks `cut` bytes in its middle if the line is over `KEPT_LINE_BYTES`.
    """

    ticket: Ticket
    start: Position
    data: bytes
    lines: int
    """Number of lines in `data`, counted once when they are read."""
    oversize: bool = False
    cut: int = 0
    """Number of bytes left out in the middle of `data`."""

    def part(self, start: int, end: int) -> Chunk:
        """Return the whole lines from `start` to `end` (bytes in `data`) as a chunk with the same ticket."""
        data = self.data[start:end]
        return replace(self, start=replace(self.start, offset=self.start.offset + start), data=data, lines=count_lines(data))


def count_lines(data: bytes) -> int:
    """Return the number of lines in `data`.

    The last may lack its line feed.
    """
    return byte_search.count(data, b"\n") + (not data.endswith(b"\n"))


class Alert(NamedTuple):
    """One parsed alert.

    `offset` is the offset of its first byte in the file, and `raw` its bytes without the line feed.
    """

    offset: int
    raw: bytes
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AlertBatch:
    """Relevant alerts of one chunk, in file order."""

    ticket: Ticket
    start: Position
    kind: KindName
    alerts: tuple[Alert, ...]


class Record(NamedTuple):
    """The value of one Kafka record (kinds/CONTRACT.md, "Records"), and the line that it was made of.

    `alert_time` is the alert's own timestamp in seconds since the epoch, or None if it cannot be read.
    """

    offset: int
    raw: bytes
    value: bytes
    alert_time: float | None = None


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Records of one alert batch, in file order."""

    ticket: Ticket
    start: Position
    kind: KindName
    records: tuple[Record, ...]
