"""What travels between the actors: frozen, slotted dataclasses, always a batch at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NewType

RecordKind = Literal["windows", "fail2ban"]
"""The two record formats of the contract (section 3); one line can give one record of each."""

Ticket = NewType("Ticket", int)
"""Names one chunk in the ledger; rises by one with each chunk."""


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Which file it is, whatever its name: an inode alone gets reused within seconds, first bytes alone can be equal.

    `fingerprint` is the hex SHA-256 of the first `fingerprint_length` bytes (0 to 1,024; as many as the file had at the time).
    """

    device: int
    inode: int
    fingerprint: str
    fingerprint_length: int


@dataclass(frozen=True, slots=True)
class Position:
    """A byte in a file: all before `offset` (in bytes) has been read, or, in a checkpoint, is settled."""

    path: str
    file: FileIdentity
    offset: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines as read. `data` starts at `start.offset`; its last line may lack the line feed at the end of a complete file.

    `oversize` marks the beginning of one line that is longer than the limit and was skipped up to its end.
    """

    ticket: Ticket
    start: Position
    data: bytes
    oversize: bool = False


def count_lines(data: bytes) -> int:
    """Return the number of lines in `data`; the last may lack its line feed."""
    return data.count(b"\n") + (not data.endswith(b"\n"))


@dataclass(frozen=True, slots=True)
class Alert:
    """One parsed line. `offset` is that of its first byte; `raw` its bytes without the line feed."""

    offset: int
    raw: bytes
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AlertBatch:
    """Relevant alerts of one chunk, in the order of the file."""

    ticket: Ticket
    start: Position
    kind: RecordKind
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record's value (contract section 3), and the line it was made of."""

    offset: int
    raw: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Records of one alert batch, in the order of the file."""

    ticket: Ticket
    start: Position
    kind: RecordKind
    records: tuple[Record, ...]
