"""alerts.json on a real file system, read through aiofiles' threads (asyncio only)."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import aiofiles
from aiofiles.threadpool.binary import AsyncFileIO

from wazuh_dfn.delivery.ports import OpenAlertFile
from wazuh_dfn.messages import FileIdentity

FINGERPRINT_BYTES = 1024


class RealAlertFile:
    """An open file; reads never move a shared file position, so a read that was cancelled half-way disturbs nothing."""

    def __init__(self, path: str, file: AsyncFileIO) -> None:
        self.path = path
        self._file = file
        self._descriptor = file.fileno()

    async def identity(self) -> FileIdentity:
        """See `OpenAlertFile`."""
        return await asyncio.to_thread(self._identity, FINGERPRINT_BYTES)

    async def matches(self, identity: FileIdentity) -> bool:
        """See `OpenAlertFile`."""
        return await asyncio.to_thread(self._identity, identity.fingerprint_length) == identity

    async def size(self) -> int:
        """See `OpenAlertFile`."""
        return (await asyncio.to_thread(os.fstat, self._descriptor)).st_size

    async def read(self, offset: int, limit: int) -> bytes:
        """See `OpenAlertFile`."""
        return await asyncio.to_thread(os.pread, self._descriptor, limit, offset)

    async def aclose(self) -> None:
        """See `OpenAlertFile`."""
        await self._file.close()

    def _identity(self, length: int) -> FileIdentity:
        status = os.fstat(self._descriptor)
        head = os.pread(self._descriptor, length, 0) if length else b""
        return FileIdentity(status.st_dev, status.st_ino, hashlib.sha256(head).hexdigest(), len(head))


class AlertPath:
    """The path `alerts.json`, which Wazuh links to another file every day (and at other times)."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def open_current(self) -> RealAlertFile | None:
        """See `AlertFiles`."""
        try:
            file = await aiofiles.open(self._path, "rb", buffering=0)
        except FileNotFoundError:
            return None
        return RealAlertFile(str(self._path), file)

    async def is_current(self, file: OpenAlertFile) -> bool:
        """See `AlertFiles`."""
        identity = await file.identity()
        try:
            status = await asyncio.to_thread(os.stat, self._path)
        except FileNotFoundError:
            return False
        return (status.st_dev, status.st_ino) == (identity.device, identity.inode)
