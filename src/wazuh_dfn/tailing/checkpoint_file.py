"""The checkpoint in files: the settled registry, with a version and a checksum.

`PATH` is written to a temporary file, synced and renamed. Its predecessor is kept as `PATH.previous`. `PATH.latest` holds the positions
that moved since. It is written in place without a sync after each acknowledgement, so it survives a killed process, but may be missing
after a power cut.
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
    """The saved state.

    See `Registry`. `saved_at` is in seconds since the epoch. `is_complete` is false for a checkpoint of version 1 or 2, which names one
    file and implies that all older ones are settled.
    """

    files: tuple[KnownFile, ...]
    saves: int = 0
    forgotten_before: float = NEVER
    forgotten_slot: Slot = FIRST_SLOT
    saved_at: float = 0.0
    is_complete: bool = True


_SCHEMA = TypeAdapter(Checkpoint)
_LEFT_OUT: dict[str, Any] = {"is_complete": True, "files": {"__all__": {"read_to"}}}
"""Fields that are not saved. `read_to` is left out because reading continues from the settled position."""


class CheckpointStore(Protocol):
    """Keeps the settled position of each file through crashes and power cuts."""

    async def load(self) -> Checkpoint | None:
        """Return the last saved checkpoint, or its predecessor if the last one cannot be read.

        Return None if there never was one.

        Raises:
            CheckpointUnreadableError: there is a checkpoint, and none can be read.
        """

    async def save(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint, atomically and durably.

        Raises:
            OSError: the checkpoint cannot be written. The former one is still there.
        """

    async def note(self, files: Collection[KnownFile], saves: int) -> None:
        """Write what moved since the last save, so that it survives a killed process.

        Raises:
            OSError: it cannot be written.
        """


class CheckpointFile:
    """Implements `CheckpointStore` and creates the folder if it is missing.

    Args:
        path: path of the checkpoint, from which the other paths are derived.
        disk: the disk that holds it.
        now: clock in seconds since the epoch.
    """

    def __init__(self, path: Path, disk: Disk, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._disk = disk
        self._now = now
        self._is_noting = False
        """Whether a note is being written, perhaps by a thread whose caller was cancelled."""

    async def load(self) -> Checkpoint | None:
        """Load the checkpoint (see `CheckpointStore`)."""
        return await self._disk.run(load, self._disk, self._path)

    async def save(self, checkpoint: Checkpoint) -> None:
        """Save the checkpoint (see `CheckpointStore`)."""
        await self._disk.run_to_its_end(self._save, checkpoint)

    async def note(self, files: Collection[KnownFile], saves: int) -> None:
        """Write a note (see `CheckpointStore`)."""
        if self._is_noting:  # a hanging disk occupies one thread only, and an old note never follows a new one
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
        except (FileNotFoundError, ValueError):  # a damaged one must not replace its predecessor
            self._disk.remove(latest(self._path))  # it belongs to the damaged or missing checkpoint
        else:
            self._disk.rename(self._path, previous(self._path))
        self._disk.rename(temporary, self._path)
        self._disk.sync_folder(self._path.parent)


def load(disk: Disk, path: Path) -> Checkpoint | None:
    """Load the checkpoint.

    See `CheckpointStore.load`. Blocks.
    """
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
    """Add what moved after the save, or during it.

    An unreadable or older note is ignored.
    """
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
    """Return the path of the predecessor of a checkpoint."""
    return path.with_name(f"{path.name}.previous")


def latest(path: Path) -> Path:
    """Return the path of the positions that moved since the checkpoint was saved."""
    return path.with_name(f"{path.name}.latest")


def encode(checkpoint: Checkpoint) -> bytes:
    """Return the file content: one JSON object with the version and a checksum.

    Default values are left out.
    """
    content = _SCHEMA.dump_python(checkpoint, mode="json", exclude=_LEFT_OUT, exclude_defaults=True)
    return json.dumps({"version": VERSION, **content, "checksum": _checksum(content)}, separators=(",", ":")).encode()


def decode(data: bytes) -> Checkpoint:
    """Return the checkpoint in a file content, of this version or an earlier one.

    Raises:
        ValueError: the content is torn, foreign, or of an unknown version. The text says which.
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
    """Decode a checkpoint of version 1 or 2, which holds one position.

    Version 1 has no fingerprint of the bytes before it.
    """
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
