"""What travels between the actors, immutable and always a batch at a time, and the places in files that it comes from.

What is made for each line is a named tuple, which is made faster.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, NamedTuple, NewType, Self

from wazuh_dfn import byte_search

type KindName = str
"""The name of a kind of alert (`kinds.catalogue`); one line can give one record of each."""

Ticket = NewType("Ticket", int)
"""Names one chunk in the ledger; rises by one with each chunk."""


DIGEST_LENGTH = 32
FINGERPRINT_BYTES = 1024
"""How many bytes a fingerprint covers at most."""


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
        """Tell whether it was taken of the first `length` bytes of `data`."""
        return len(data) >= self.length and _digest(data[: self.length]) == self.digest


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()[:DIGEST_LENGTH]


NO_BYTES = Fingerprint.of(b"")


@dataclass(frozen=True, slots=True)
class Position:
    """A byte in a file: all before `offset` (in bytes) has been read.

    `file` is the file's number in the registry of known files, 0 outside of one. `path` and `inode` say what it was called when it was
    read. `tail` is taken of the bytes just before `offset` as they were read (at most `FINGERPRINT_BYTES`).
    """

    path: str
    inode: int
    offset: int
    tail: Fingerprint = NO_BYTES
    file: int = 0

    def after(self, length: int, data: bytes) -> Position:
        """Return the position `length` bytes further on; `data` ends with the last of those bytes."""
        return replace(self, offset=self.offset + length, tail=Fingerprint.of(data[-FINGERPRINT_BYTES:]))


LINE_LIMIT_BYTES = 4 * 1024 * 1024
"""The longest line that is read as alerts. Wazuh writes up to 3.4 MB: composite rules repeat earlier events in `previous_output`."""

KEPT_LINE_BYTES = 64 * 1024 * 1024
"""The longest line that is kept whole as a dead letter; of a longer one both ends are kept."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines as read. `data` starts at `start.offset`; its last line may lack the line feed at the end of a complete file.

    `oversize` marks one line over `LINE_LIMIT_BYTES`; `data` lacks `cut` bytes in its middle if it is over `KEPT_LINE_BYTES`.
    """

    ticket: Ticket
    start: Position
    data: bytes
    lines: int
    """How many those are: counted once, when they are read."""
    oversize: bool = False
    cut: int = 0
    """Number of bytes left out in the middle of `data`."""

    def part(self, start: int, end: int) -> Chunk:
        """Return the whole lines from `start` to `end` (bytes in `data`) as a chunk with the same ticket."""
        data = self.data[start:end]
        return replace(self, start=replace(self.start, offset=self.start.offset + start), data=data, lines=count_lines(data))


def count_lines(data: bytes) -> int:
    """Return the number of lines in `data`; the last may lack its line feed."""
    return byte_search.count(data, b"\n") + (not data.endswith(b"\n"))


class Alert(NamedTuple):
    """One parsed line. `offset` is that of its first byte; `raw` its bytes without the line feed."""

    offset: int
    raw: bytes
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AlertBatch:
    """Relevant alerts of one chunk, in the order of the file."""

    ticket: Ticket
    start: Position
    kind: KindName
    alerts: tuple[Alert, ...]


class Record(NamedTuple):
    """One Kafka record's value (kinds/CONTRACT.md, "Records"), and the line it was made of.

    `alert_time` is the alert's own timestamp in seconds since the epoch; None if that can't be read.
    """

    offset: int
    raw: bytes
    value: bytes
    alert_time: float | None = None


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Records of one alert batch, in the order of the file."""

    ticket: Ticket
    start: Position
    kind: KindName
    records: tuple[Record, ...]
