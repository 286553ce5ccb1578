"""The checkpoint in a file: versioned, with a checksum, and with its predecessor beside it."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import structlog
from anyio import to_thread

from wazuh_dfn.adapters.durable_write import sync_folder, write_durably
from wazuh_dfn.delivery.ports import SavedPosition
from wazuh_dfn.errors import CheckpointUnreadableError
from wazuh_dfn.messages import FileIdentity, Position

VERSION = 1
log = structlog.get_logger(__name__)


class CheckpointFile:
    """Implements `CheckpointStore` with `PATH` and `PATH.previous`; makes the folder if it is missing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._previous = path.with_name(path.name + ".previous")

    async def load(self) -> SavedPosition | None:
        """See `CheckpointStore`."""
        return await to_thread.run_sync(self._load)

    async def save(self, position: Position) -> None:
        """See `CheckpointStore`."""
        await to_thread.run_sync(self._save, position)

    def _load(self) -> SavedPosition | None:
        damaged = False
        for path in (self._path, self._previous):
            try:
                return decode(path.read_bytes())
            except FileNotFoundError:
                continue
            except ValueError as error:
                damaged = True
                log.warning("checkpoint can't be read, trying the previous one", path=str(path), reason=str(error))
        if damaged:
            raise CheckpointUnreadableError(f"no readable checkpoint at {self._path}")
        return None

    def _save(self, position: Position) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists():
            self._path.replace(self._previous)
        write_durably(self._path, encode(position, time.time()))
        sync_folder(self._path.parent)


def encode(position: Position, saved_at: float) -> bytes:
    """Return the file's content: one JSON object with version, position, time (seconds since the epoch), and a checksum of both."""
    content = {"position": asdict(position), "saved_at": saved_at}
    return json.dumps({"version": VERSION, **content, "checksum": _checksum(content)}, indent=1).encode()


def decode(data: bytes) -> SavedPosition:
    """Return the position from a file's content.

    Raises:
        ValueError: torn, foreign, or of another version; the text says what.
    """
    try:
        document = json.loads(data)
        content = {name: document[name] for name in ("position", "saved_at")}
        if document["version"] != VERSION:
            raise ValueError(f"version {document['version']} is not known here")
        if document["checksum"] != _checksum(content):
            raise ValueError("the checksum does not match")
        saved = document["position"]
        return SavedPosition(Position(saved["path"], FileIdentity(**saved["file"]), saved["offset"]), document["saved_at"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a checkpoint: {error!r}") from error


def _checksum(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
