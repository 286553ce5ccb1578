"""What Wazuh wrote, read from a plain or a gzipped file: blocking, and the same for a real and a simulated disk."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Protocol

import structlog

from wazuh_dfn.adapters.disk import Disk, Handle, Status
from wazuh_dfn.errors import FileTruncatedError
from wazuh_dfn.messages import FINGERPRINT_BYTES, FileIdentity, Fingerprint, Position

_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)
PIECE_BYTES = 64 * 1024
"""So much is unpacked at a time. The piece in which damage begins comes byte by byte instead, which takes a tenth of a second."""
log = structlog.get_logger(__name__)


class Content(Protocol):
    """An alert file's content; all methods block and may raise OSError."""

    def status(self) -> Status:
        """Return the status of the file itself, packed or not."""

    def size(self) -> int:
        """Return the size of the content in bytes."""

    def identity(self) -> FileIdentity:
        """Return its identity, with as many first bytes as there are by now."""

    def holds(self, position: Position) -> bool:
        """See `OpenAlertFile`."""

    def read_after(self, position: Position, limit: int, skip: int) -> bytes:
        """See `OpenAlertFile.read`."""

    def read(self, offset: int, limit: int) -> bytes:
        """Return up to `limit` bytes from `offset` on."""

    def close(self) -> None:
        """Close the file."""


def open_content(disk: Disk, path: Path) -> Content:
    """Open an alert file; one with the suffix `.gz` is unpacked while it is read.

    Raises:
        OSError: it can't be opened.
    """
    handle = disk.open(path)
    return GzippedContent(handle, path) if path.suffix == ".gz" else PlainContent(handle)


class PlainContent:
    """A file as Wazuh writes it; what was read of it is looked at again with each read, as it can be truncated at any time."""

    def __init__(self, handle: Handle) -> None:
        self.status = handle.status
        self.read = handle.read
        self.close = handle.close

    def size(self) -> int:
        """See `Content`."""
        return self.status().size

    def identity(self) -> FileIdentity:
        """See `Content`."""
        return _identity(self)

    def holds(self, position: Position) -> bool:
        """See `Content`."""
        return self.status().node == position.file.node and holds_content(self, position)

    def read_after(self, position: Position, limit: int, skip: int) -> bytes:
        """See `Content`."""
        data = self.read(position.offset + skip, limit)
        if not holds_content(self, position):  # looked at afterwards, so that it was true when the data was read
            raise FileTruncatedError(position.path)
        return data


class GzippedContent:
    """What monitord or logrotate made of a former file; complete by definition. Offsets are those of the content."""

    def __init__(self, handle: Handle, path: Path) -> None:
        self.status = handle.status
        self._handle = handle
        self._path = path
        self._lock = Lock()
        """A read whose caller was cancelled may still be going on."""
        self._file = self._unpack()
        self._size: int | None = None
        self._known_identity: FileIdentity | None = None
        self._latest = (0, b"")
        """What was read last, and its offset."""

    def size(self) -> int:
        """See `Content`; found by reading all of it once, as a gzipped file does not tell reliably."""
        if self._size is None:
            end = 0
            while piece := self.read(end, PIECE_BYTES):
                end += len(piece)
            self._size = end
        return self._size

    def identity(self) -> FileIdentity:
        """See `Content`; found once, as the file is complete."""
        if self._known_identity is None:
            self._known_identity = _identity(self)
        return self._known_identity

    def holds(self, position: Position) -> bool:
        """See `Content`; the inode does not count, as gzipping makes a new one."""
        return holds_content(self, position)

    def read_after(self, position: Position, limit: int, skip: int) -> bytes:
        """See `Content`."""
        self.identity()  # it is asked for at the end of the file, and would mean going back to the beginning then
        return self.read(position.offset + skip, limit)

    def read(self, offset: int, limit: int) -> bytes:
        """See `Content`. What is damaged ends the file, and is logged.

        Cheap are reads that begin in what was read last (its last line may not be whole) or behind; others unpack from the beginning.
        """
        with self._unpacking():
            begin, latest = self._latest
            data = bytearray(latest[offset - begin :][:limit] if offset >= begin else b"")
            try:
                try:
                    self._unpack_to(data, offset, limit, PIECE_BYTES)
                except zlib.error:  # what stands in the same piece before the damage was thrown away with it
                    self._file = self._unpack()
                    self._unpack_to(data, offset, limit, 1)
            except _DAMAGED as error:
                log.error("a gzipped alert file is damaged, its rest can't be read", file=str(self._path), offset=offset, reason=str(error))  # noqa: TRY400
            self._latest = offset, bytes(data)
            return self._latest[1]

    def _unpack_to(self, data: bytearray, offset: int, limit: int, piece_bytes: int) -> None:
        """Add to `data`, which begins at `offset`, up to `limit` bytes in all."""
        self._file.seek(offset + len(data))
        while len(data) < limit and (piece := self._file.read1(min(piece_bytes, limit - len(data)))):
            data += piece

    @contextmanager
    def _unpacking(self) -> Iterator[None]:
        """Keep others out; a file that was interrupted by an error of the disk has lost its place, and is begun anew."""
        with self._lock:
            try:
                yield
            except OSError:
                self._file = self._unpack()
                raise

    def _unpack(self) -> gzip.GzipFile:
        return gzip.GzipFile(fileobj=_Stream(self._handle), mode="rb")

    def close(self) -> None:
        """See `Content`."""
        self._file.close()
        self._handle.close()


def holds_content(content: Content, position: Position) -> bool:
    """Tell whether the bytes at the beginning and before the offset are those of the position."""
    head, tail, end = position.file.head, position.tail, position.offset
    return (
        head.fits(content.read(0, head.length))
        and tail.fits(content.read(end - tail.length, tail.length))
        and (end == 0 or len(content.read(end - 1, 1)) == 1)
    )


def _identity(content: Content) -> FileIdentity:
    status = content.status()
    return FileIdentity(status.device, status.inode, Fingerprint.of(content.read(0, FINGERPRINT_BYTES)))


class _Stream(io.RawIOBase):
    """A handle as the file object that `gzip` wants."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._offset = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._offset, os.SEEK_END: self._handle.status().size}[whence]
        self._offset = base + offset
        return self._offset

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        data = self._handle.read(self._offset, len(buffer))
        buffer[: len(data)] = data
        self._offset += len(data)
        return len(data)
