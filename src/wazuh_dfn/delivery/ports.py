"""The world as the actors see it: protocols that the adapters implement with real files and a real broker, simulations without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from wazuh_dfn.messages import FileIdentity, Position


class OpenAlertFile(Protocol):
    """An alert file held open; it stays readable when its last name is removed."""

    path: str

    async def identity(self) -> FileIdentity:
        """Return the identity with a fingerprint of the bytes there are by now (at most 1,024)."""

    async def matches(self, identity: FileIdentity) -> bool:
        """Tell whether it is the file of that identity: same device and inode, and the same first bytes."""

    async def size(self) -> int:
        """Return the file's present size in bytes."""

    async def modified(self) -> float:
        """Return when it was last written to, in seconds since the epoch."""

    async def read(self, offset: int, limit: int) -> bytes:
        """Return up to `limit` bytes from `offset` on; empty at the end of the file.

        Raises:
            OSError: the operating system can't read it.
        """

    async def aclose(self) -> None:
        """Close it; a second call does nothing."""


class AlertFiles(Protocol):
    """The place where Wazuh writes alerts."""

    async def open_current(self) -> OpenAlertFile | None:
        """Open the file that `alerts.json` names now; None while there is none (Wazuh's day change, or not yet started).

        Raises:
            OSError: it exists and can't be opened.
        """

    async def is_current(self, file: OpenAlertFile) -> bool:
        """Tell whether the path still names this very file; False too while the path names nothing."""

    async def open_former(self, identity: FileIdentity) -> OpenAlertFile | None:
        """Open the file of that identity under its dated name, plain or gzipped; None if there is none."""

    async def open_successor(self, identity: FileIdentity, since: float) -> OpenAlertFile | None:
        """Open the file that Wazuh wrote next after the one of `identity`: a dated one, or at last the current one.

        Args:
            identity: a file that is not the current one any more.
            since: if no dated file has that identity, the oldest that was written to after this time (seconds since the epoch) is next.

        Returns:
            None while the path names nothing: a file is complete, and has a successor, once the path names another.

        Raises:
            OSError: it exists and can't be opened.
        """


class RecordProducer(Protocol):
    """A connected Kafka producer; one `deliver` at a time."""

    async def deliver(self, values: Sequence[bytes]) -> None:
        """Send these values in order and return once all in-sync replicas have acknowledged all of them.

        The caller keeps a batch below `max_batch_bytes`, or sends one value alone.

        Raises:
            RecordsRejectedError: refused for good (too large, invalid); sending fewer at a time shows which.
            BrokerUnavailableError: not acknowledged; the producer must be closed and a new one made, then sent again.
        """


class ProducerFactory(Protocol):
    """Makes a connected producer from the bootstrap addresses (names are looked up again each time)."""

    async def connect(self) -> RecordProducer:
        """Connect, or raise BrokerUnavailableError with the one clear line for the operator."""

    async def close(self, producer: RecordProducer) -> None:
        """Close within a few seconds, whatever state the broker is in; never waits for records that can't be sent."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A line that is settled without having been delivered."""

    position: Position
    """The line's first byte."""
    stage: str
    """Which step gave up: `oversize`, `malformed`, `windows`, `fail2ban`, `rejected`, `poison`."""
    reason: str
    raw: bytes
    traceback: str | None = None


class DeadLetterStore(Protocol):
    """Where dead letters are kept for the operator."""

    async def store(self, letter: DeadLetter) -> None:
        """Keep it durably; the same line and stage stored twice is kept once (a redelivered batch repeats it).

        While it can't be written (a full disk), this waits: the line is not settled before.
        """


@dataclass(frozen=True, slots=True)
class SavedPosition:
    """A checkpoint as it was saved; `saved_at` in seconds since the epoch."""

    position: Position
    saved_at: float


class CheckpointStore(Protocol):
    """Keeps the position up to which everything is settled, through crashes and power cuts."""

    async def load(self) -> SavedPosition | None:
        """Return the last saved position (or the one before, if the last can't be read); None if there never was one.

        Raises:
            CheckpointUnreadableError: there is one, and it can't be read.
        """

    async def save(self, position: Position) -> None:
        """Replace it, atomically and durably.

        Raises:
            OSError: it can't be written; the former one is still there.
        """
