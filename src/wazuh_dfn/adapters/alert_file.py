"""alerts.json and its dated files on a real file system, read through aiofiles' threads (asyncio only)."""

from __future__ import annotations

import asyncio
import hashlib
import os
import zlib
from pathlib import Path

import aiofiles
import structlog
from aiofiles.threadpool.binary import AsyncFileIO

from wazuh_dfn.adapters.dated_files import FINGERPRINT_BYTES, DatedFile, find, open_content, successors
from wazuh_dfn.delivery.ports import OpenAlertFile
from wazuh_dfn.messages import FileIdentity

log = structlog.get_logger(__name__)


class PlainAlertFile:
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

    async def modified(self) -> float:
        """See `OpenAlertFile`."""
        return (await asyncio.to_thread(os.fstat, self._descriptor)).st_mtime

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


class GzippedAlertFile:
    """What monitord made of a former day's file; complete by definition. Offsets are those of the content."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._file = open_content(path)
        self._status = os.fstat(self._file.fileno())
        self._head = self._read(0, FINGERPRINT_BYTES)
        self._size: int | None = None
        self._lock = asyncio.Lock()

    async def identity(self) -> FileIdentity:
        """See `OpenAlertFile`."""
        return FileIdentity(self._status.st_dev, self._status.st_ino, hashlib.sha256(self._head).hexdigest(), len(self._head))

    async def matches(self, identity: FileIdentity) -> bool:
        """See `OpenAlertFile`; the inode does not count, as gzipping makes a new one."""
        return hashlib.sha256(self._head[: identity.fingerprint_length]).hexdigest() == identity.fingerprint

    async def size(self) -> int:
        """See `OpenAlertFile`; found by reading all of it once, as a gzipped file does not tell reliably."""
        async with self._lock:
            if self._size is None:
                self._size = await asyncio.to_thread(self._measure)
        return self._size

    async def modified(self) -> float:
        """See `OpenAlertFile`."""
        return self._status.st_mtime

    async def read(self, offset: int, limit: int) -> bytes:
        """See `OpenAlertFile`; forward reads are cheap, backward ones begin anew. A damaged rest counts as the end, and is logged."""
        async with self._lock:
            return await asyncio.to_thread(self._read, offset, limit)

    async def aclose(self) -> None:
        """See `OpenAlertFile`."""
        await asyncio.to_thread(self._file.close)

    def _measure(self) -> int:
        try:
            return self._file.seek(0, os.SEEK_END)
        except (EOFError, zlib.error):
            return self._file.tell()

    def _read(self, offset: int, limit: int) -> bytes:
        try:
            self._file.seek(offset)
            return self._file.read(limit)
        except (EOFError, zlib.error) as error:
            log.error("a gzipped alert file is damaged, its rest can't be read", file=self.path, offset=offset, reason=str(error))  # noqa: TRY400
            return b""


class AlertPath:
    """The path `alerts.json`, which Wazuh links to another file every day (and at other times), and the dated files beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def open_current(self) -> OpenAlertFile | None:
        """See `AlertFiles`."""
        return await self._open_plain(self._path)

    async def is_current(self, file: OpenAlertFile) -> bool:
        """See `AlertFiles`."""
        identity = await file.identity()
        try:
            status = await asyncio.to_thread(os.stat, self._path)
        except FileNotFoundError:
            return False
        return (status.st_dev, status.st_ino) == (identity.device, identity.inode)

    async def open_former(self, identity: FileIdentity) -> OpenAlertFile | None:
        """See `AlertFiles`."""
        found = await asyncio.to_thread(find, self._path.parent, identity)
        return await self._open_dated(found) if found is not None else None

    async def open_successor(self, identity: FileIdentity, since: float) -> OpenAlertFile | None:
        """See `AlertFiles`."""
        current = await self.open_current()
        if current is None:
            return None
        current_identity = await current.identity()
        for dated in await asyncio.to_thread(successors, self._path.parent, identity, since):
            file = await self._open_dated(dated)
            if file is None:
                continue
            found = await file.identity()
            if (found.device, found.inode) == (current_identity.device, current_identity.inode):
                await file.aclose()
                break
            await current.aclose()
            return file
        return current

    async def _open_plain(self, path: Path) -> PlainAlertFile | None:
        try:
            return PlainAlertFile(str(path), await aiofiles.open(path, "rb", buffering=0))
        except FileNotFoundError:
            return None

    async def _open_dated(self, dated: DatedFile) -> OpenAlertFile | None:
        """Open it, under its other name if monitord has just gzipped it; None if it is gone."""
        plain = dated.path.with_suffix("") if dated.is_gzipped else dated.path
        file = await self._open_plain(plain)
        if file is not None:
            return file
        try:
            return await asyncio.to_thread(GzippedAlertFile, plain.with_name(plain.name + ".gz"))
        except FileNotFoundError:
            return None
