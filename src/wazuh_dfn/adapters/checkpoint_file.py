"""The checkpoint in a file: versioned, with a checksum, and with its predecessor beside it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import structlog

from wazuh_dfn.adapters.disk import Disk
from wazuh_dfn.delivery.ports import SavedPosition
from wazuh_dfn.errors import CheckpointUnreadableError
from wazuh_dfn.messages import NO_BYTES, FileIdentity, Fingerprint, Position

VERSION = 2
log = structlog.get_logger(__name__)


class CheckpointFile:
    """Implements `CheckpointStore` with `PATH` and `PATH.previous`; makes the folder if it is missing.

    Args:
        path: its name; the predecessor's is made of it.
        disk: where it is kept.
        now: seconds since the epoch.
    """

    def __init__(self, path: Path, disk: Disk, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._previous = previous(path)
        self._disk = disk
        self._now = now

    async def load(self) -> SavedPosition | None:
        """See `CheckpointStore`."""
        return await self._disk.run(self._load)

    async def save(self, position: Position) -> None:
        """See `CheckpointStore`."""
        await self._disk.run_to_its_end(self._save, position)

    def _load(self) -> SavedPosition | None:
        damaged: list[float] = []
        for path in (self._path, self._previous):
            try:
                return decode(self._disk.read(path))
            except FileNotFoundError:
                continue
            except ValueError as error:
                damaged.append(self._disk.status(path).modified)
                log.warning("checkpoint can't be read, trying the previous one", path=str(path), reason=str(error))
        if damaged:
            raise CheckpointUnreadableError(f"no readable checkpoint at {self._path}", min(damaged))
        return None

    def _save(self, position: Position) -> None:
        self._disk.make_folder(self._path.parent)
        temporary, present = self._path.with_name(f".{self._path.name}.tmp"), self._present()
        saved_at = present.saved_at if present is not None and _is_no_further(position, present.position) else self._now()
        self._disk.write(temporary, encode(position, saved_at))
        if present is not None:
            self._disk.rename(self._path, self._previous)
        self._disk.rename(temporary, self._path)
        self._disk.sync_folder(self._path.parent)

    def _present(self) -> SavedPosition | None:
        """Return the last checkpoint; None if there is none that may take the place of its predecessor: a damaged one must not."""
        try:
            return decode(self._disk.read(self._path))
        except (FileNotFoundError, ValueError):
            return None


def _is_no_further(position: Position, present: Position) -> bool:
    """Tell whether nothing was settled since: it is the same place, or the beginning of a file, where a search ended.

    What was written, or copied, since the present one came to its position has not been read then.
    """
    return position.offset == 0 or replace(present, path=position.path) == position


def previous(path: Path) -> Path:
    """Return where the predecessor of a checkpoint is kept."""
    return path.with_name(f"{path.name}.previous")


def encode(position: Position, saved_at: float) -> bytes:
    """Return the file's content: one JSON object with version, position, time (seconds since the epoch), and a checksum of both."""
    content = {"position": asdict(position), "saved_at": saved_at}
    return json.dumps({"version": VERSION, **content, "checksum": _checksum(content)}, indent=1).encode()


def decode(data: bytes) -> SavedPosition:
    """Return the position from a file's content, of this version or the one before.

    Raises:
        ValueError: torn, foreign, or of another version; the text says what.
    """
    try:
        document = json.loads(data)
        content = {name: document[name] for name in ("position", "saved_at")}
        if document["version"] not in _POSITION_OF:
            raise ValueError(f"version {document['version']} is not known here")
        if document["checksum"] != _checksum(content):
            raise ValueError("the checksum does not match")
        return SavedPosition(_POSITION_OF[document["version"]](document["position"]), document["saved_at"])
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a checkpoint: {error!r}") from error


def _position(saved: dict[str, Any]) -> Position:
    file = saved["file"]
    identity = FileIdentity(file["device"], file["inode"], Fingerprint(**file["head"]))
    return Position(saved["path"], identity, saved["offset"], Fingerprint(**saved["tail"]))


def _position_of_version_1(saved: dict[str, Any]) -> Position:
    file = saved["file"]
    identity = FileIdentity(file["device"], file["inode"], Fingerprint(file["fingerprint"], file["fingerprint_length"]))
    return Position(saved["path"], identity, saved["offset"], NO_BYTES)


_POSITION_OF: dict[int, Callable[[dict[str, Any]], Position]] = {1: _position_of_version_1, 2: _position}
"""How a position was written, by version."""


def _checksum(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
