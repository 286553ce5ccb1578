"""The checkpoint in files: the registry as it is settled, versioned, with a checksum.

`PATH` is written beside, synced and renamed, and its predecessor kept as `PATH.previous`. `PATH.latest` holds the positions that moved
since: written in place without a sync after each acknowledgement, it survives a killed process, and after a power cut it may be missing.
"""

from __future__ import annotations

import errno
import hashlib
import json
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import structlog
from pydantic import TypeAdapter

from wazuh_dfn.errors import CheckpointUnreadableError
from wazuh_dfn.messages import DIGEST_LENGTH, NO_BYTES, Fingerprint
from wazuh_dfn.tailing.disk import Disk
from wazuh_dfn.tailing.names import FIRST_SLOT, Slot
from wazuh_dfn.tailing.registry import NEVER, KnownFile, Mark

VERSION = 3
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is saved: see `Registry`. `saved_at` is in seconds since the epoch.

    `is_complete` is false for one of version 1 or 2: it knows one file, and that all older ones are settled.
    """

    files: tuple[KnownFile, ...]
    saves: int = 0
    forgotten_before: float = NEVER
    forgotten_slot: Slot = FIRST_SLOT
    saved_at: float = 0.0
    is_complete: bool = True


_SCHEMA = TypeAdapter(Checkpoint)
_LEFT_OUT: dict[str, Any] = {"is_complete": True, "files": {"__all__": {"read_to"}}}
"""What is read goes on from what is settled."""


class CheckpointStore(Protocol):
    """Keeps how far each file is settled, through crashes and power cuts."""

    async def load(self) -> Checkpoint | None:
        """Return what was saved last (or before that, if the last can't be read); None if there never was anything.

        Raises:
            CheckpointUnreadableError: there is something, and it can't be read.
        """

    async def save(self, checkpoint: Checkpoint) -> None:
        """Replace it, atomically and durably.

        Raises:
            OSError: it can't be written; the former one is still there.
        """

    async def note(self, files: Collection[KnownFile], saves: int) -> None:
        """Write what moved since the last save, so that a killed process has it; raises OSError."""


class CheckpointFile:
    """Implements `CheckpointStore`; makes the folder if it is missing.

    Args:
        path: its name; those of the others are made of it.
        disk: where it is kept.
        now: seconds since the epoch.
    """

    def __init__(self, path: Path, disk: Disk, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._disk = disk
        self._now = now
        self._is_noting = False
        """Whether a note is being written, perhaps by a thread that nobody waits for any more."""

    async def load(self) -> Checkpoint | None:
        """See `CheckpointStore`."""
        return await self._disk.run(load, self._disk, self._path)

    async def save(self, checkpoint: Checkpoint) -> None:
        """See `CheckpointStore`."""
        await self._disk.run_to_its_end(self._save, checkpoint)

    async def note(self, files: Collection[KnownFile], saves: int) -> None:
        """See `CheckpointStore`."""
        if self._is_noting:  # a disk that hangs gets one thread, not all of them; nor may an old note come after a new one
            raise BlockingIOError(errno.EAGAIN, "the note before it is still being written", str(latest(self._path)))
        await self._disk.run(self._note, encode(Checkpoint(tuple(files), saves)))

    def _note(self, data: bytes) -> None:
        self._is_noting = True
        try:
            self._disk.write_unsynced(latest(self._path), data)
        finally:
            self._is_noting = False

    def _save(self, checkpoint: Checkpoint) -> None:
        self._disk.make_folder(self._path.parent)
        temporary = self._path.with_name(f".{self._path.name}.tmp")
        self._disk.write(temporary, encode(replace(checkpoint, saved_at=self._now())))
        try:
            decode(self._disk.read(self._path))
        except (FileNotFoundError, ValueError):  # a damaged one must not take the place of its predecessor
            self._disk.remove(latest(self._path))  # belongs to what is gone
        else:
            self._disk.rename(self._path, previous(self._path))
        self._disk.rename(temporary, self._path)
        self._disk.sync_folder(self._path.parent)


def load(disk: Disk, path: Path) -> Checkpoint | None:
    """See `CheckpointStore.load`; blocks."""
    damaged: list[float] = []
    for each in (path, previous(path)):
        try:
            return _with_latest(disk, path, decode(disk.read(each)))
        except FileNotFoundError:
            continue
        except ValueError as error:
            damaged.append(disk.status(each).modified)
            log.warning("checkpoint can't be read, trying the previous one", path=str(each), reason=str(error))
    if damaged:
        raise CheckpointUnreadableError(f"no readable checkpoint at {path}", min(damaged))
    return None


def _with_latest(disk: Disk, path: Path, saved: Checkpoint) -> Checkpoint:
    """Add what moved after the save, or while it was going on; what can't be read, or is older, counts for nothing."""
    try:
        noted = decode(disk.read(latest(path)))
    except (FileNotFoundError, IsADirectoryError, PermissionError, ValueError):
        return saved
    if not saved.is_complete or noted.saves < saved.saves - 1:
        return saved
    files = {known.number: known for known in saved.files}
    for known in noted.files:
        if known.number not in files or known.settled.offset > files[known.number].settled.offset:
            files[known.number] = known
    return replace(saved, files=tuple(files.values()))


def previous(path: Path) -> Path:
    """Return where the predecessor of a checkpoint is kept."""
    return path.with_name(f"{path.name}.previous")


def latest(path: Path) -> Path:
    """Return where the positions are kept that moved since the checkpoint was saved."""
    return path.with_name(f"{path.name}.latest")


def encode(checkpoint: Checkpoint) -> bytes:
    """Return the file's content: one JSON object with the version, and a checksum. What is as it is by default is left out."""
    content = _SCHEMA.dump_python(checkpoint, mode="json", exclude=_LEFT_OUT, exclude_defaults=True)
    return json.dumps({"version": VERSION, **content, "checksum": _checksum(content)}, separators=(",", ":")).encode()


def decode(data: bytes) -> Checkpoint:
    """Return the checkpoint from a file's content, of this version or one before.

    Raises:
        ValueError: torn, foreign, or of another version; the text says what.
    """
    try:
        content = json.loads(data)
        version, checksum = content.pop("version"), content.pop("checksum")
        if version not in {1, 2, VERSION}:
            raise ValueError(f"version {version} is not known here")
        if checksum != _checksum(content):
            raise ValueError("the checksum does not match")
        if version != VERSION:
            return _decode_position(version, content["position"], content["saved_at"])
        saved = _SCHEMA.validate_python(content)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a checkpoint: {error!r}") from error
    return replace(saved, files=tuple(replace(known, read_to=known.settled) for known in saved.files))


def _decode_position(version: int, position: dict[str, Any], saved_at: float) -> Checkpoint:
    """Versions 1 and 2 held one position; version 1 knew nothing of the bytes before it."""
    file = position["file"]
    if version == 1:
        head, tail = _fingerprint(file["fingerprint"], file["fingerprint_length"]), NO_BYTES
    else:
        head, tail = _fingerprint(**file["head"]), _fingerprint(**position["tail"])
    mark = Mark(position["offset"], tail)
    return Checkpoint((KnownFile(1, position["path"], head, mark, mark),), saved_at=saved_at, is_complete=False)


def _fingerprint(digest: str, length: int) -> Fingerprint:
    return Fingerprint(digest[:DIGEST_LENGTH], length)


def _checksum(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
