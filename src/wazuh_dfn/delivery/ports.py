"""The world as the actors see it: protocols that the adapters implement with real files and a real broker, simulations without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from wazuh_dfn.messages import FileIdentity, Position


class OpenAlertFile(Protocol):
    """An alert file held open; it stays readable when its last name is removed."""

    path: str
    is_gzipped: bool

    @property
    def begun(self) -> float:
        """When it was begun at the earliest, in seconds since the epoch, by the date in its name; 0 if it has none."""

    async def identity(self) -> FileIdentity:
        """Return the identity with a fingerprint of the bytes there are by now (at most 1,024)."""

    async def holds(self, position: Position) -> bool:
        """Tell whether it is the file of that position: same device and inode, and the same bytes at its beginning and before the offset.

        A gzipped file is told by its content alone. One that was just begun then has to have the same name, too.
        """

    async def size(self) -> int:
        """Return the file's present size in bytes."""

    async def unnamed_bytes(self) -> int:
        """Return how many bytes it keeps on the disk although its last name was removed; 0 if it has a name."""

    async def modified(self) -> float:
        """Return when it was last written to, in seconds since the epoch."""

    async def read(self, position: Position, limit: int, *, skip: int = 0) -> bytes:
        """Return up to `limit` bytes from `skip` bytes after the position on; empty at the end of the file.

        Raises:
            FileTruncatedError: it does not hold the position any more; what is there now is to be read from its beginning.
            OSError: the operating system can't read it.
        """

    async def aclose(self) -> None:
        """Close it; a second call does nothing."""


class AlertFiles(Protocol):
    """The place where Wazuh writes alerts."""

    path: str
    """What the operator calls it."""

    async def open_current(self) -> OpenAlertFile | None:
        """Open the file that `alerts.json` names now; None while there is none (Wazuh's day change, or not yet started).

        Raises:
            OSError: it exists and can't be opened.
        """

    async def is_current(self, file: OpenAlertFile) -> bool:
        """Tell whether the path still names this very file; False too while the path names nothing."""

    async def open_former(self, position: Position) -> OpenAlertFile | None:
        """Open the file of that position, which `alerts.json` does not name any more.

        It is found under its dated name, plain or gzipped, or as the file that logrotate renamed or copied. None if there is none.
        """

    async def open_copy(self, since: float, until: float) -> OpenAlertFile | None:
        """Open the oldest copy that logrotate made in that time (seconds since the epoch) of a file that it truncated then.

        None if there is none, or all of it still stands in the file that it was copied from.
        """

    async def open_successor(self, identities: Sequence[FileIdentity], since: float, path: str = "") -> OpenAlertFile | None:
        """Open the file that Wazuh wrote next after the first of `identities` that is to be found: a dated one, or at last the current one.

        Args:
            identities: files that are not the current one any more; the one that was read last comes first.
            since: when that one was last written to, in seconds since the epoch. If none is to be found (or given), the oldest that
                was written to later is next.
            path: instead of that time, the dated name of the file that is not to be found: it tells which ones are not older.

        Returns:
            None while the path names nothing: a file is complete, and has a successor, once the path names another.

        Raises:
            OSError: it exists and can't be opened.
        """


class RecordProducer(Protocol):
    """A connected Kafka producer; one `deliver` at a time."""

    async def deliver(self, values: Sequence[bytes]) -> None:
        """Send these values in order and return once all in-sync replicas have acknowledged all of them.

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


type Stage = Literal["oversize", "malformed", "junk", "windows", "fail2ban", "rejected", "poison"]
"""Which step gave up a line: the router, the actor of its kind, the broker, or the supervisor after several crashes.

`junk` is malformed too, and holds nothing that could be selected, were it whole.
"""
STAGES: tuple[Stage, ...] = get_args(Stage.__value__)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A line that is settled without having been delivered."""

    position: Position
    """The line's first byte."""
    stage: Stage
    reason: str
    """In one line, which goes to the log too: it quotes nothing of the alert."""
    raw: bytes
    traceback: str | None = None
    """May quote the alert."""


@dataclass(frozen=True, slots=True)
class LetterCounts:
    """How many dead letters there are, by stage."""

    kept: Mapping[str, int]
    removed: Mapping[str, int]
    """Removed to make room, ever."""
    unseen: Mapping[str, int]
    """Of those, the ones that were removed since the operator last looked."""
    unseen_since: str = ""
    """When the first of them was, as ISO 8601."""


class DeadLetterStore(Protocol):
    """Where dead letters are kept for the operator."""

    @property
    def problem(self) -> str | None:
        """Why one can't be kept, for which `store` waits; None if nothing is wrong."""

    async def store(self, letters: Sequence[DeadLetter]) -> None:
        """Keep them durably; the same line and stage stored twice is kept once (a redelivered batch repeats it).

        While one can't be written (a full disk), this waits: no line is settled before.
        """

    async def counts(self) -> LetterCounts | None:
        """Count them, in a second at most; None if they are not counted, or can't be."""


@dataclass(frozen=True, slots=True)
class SavedPosition:
    """A checkpoint as it was saved; `saved_at`, in seconds since the epoch, is when something was settled last."""

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


class WazuhConnection(Protocol):
    """A connection to the queue socket of Wazuh; one `send` at a time."""

    async def send(self, message: bytes) -> None:
        """Hand one message over to the operating system; whether Wazuh reads it is not known.

        Where there is room at once, this may return without a turn of the event loop: the caller has to give up its own.

        Raises:
            WazuhUnavailableError: Wazuh is gone, or did not take it in time; close this connection.
        """

    async def aclose(self) -> None:
        """Close it without waiting for anything."""


class WazuhSocket(Protocol):
    """Makes connections to the queue socket of Wazuh; after a restart of Wazuh it is another one of the same name."""

    async def connect(self) -> WazuhConnection:
        """Connect in time.

        Raises:
            WazuhUnavailableError: there is no socket, or nobody behind it.
        """
