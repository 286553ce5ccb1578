"""Content of plain and packed alert files.

All calls block. The code is the same for a real and a simulated disk.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from wazuh_dfn.errors import CannotUnpackError
from wazuh_dfn.tailing.disk import Disk, Handle, Status
from wazuh_dfn.tailing.names import is_packed_name

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_FORMATS: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file, mode="rb"),
    b"\xfd7zXZ\0": lambda file: lzma.LZMAFile(file, "rb"),  # noqa: SIM115
    b"BZh": lambda file: bz2.BZ2File(file, "rb"),
    b"\x28\xb5\x2f\xfd": lambda file: zstd.ZstdFile(file, "rb"),
}
"""Packers by the first bytes, because a name is chosen by the administrator and proves nothing."""
_DAMAGED = (zlib.error, lzma.LZMAError, zstd.ZstdError, OSError)
_TRIES = 3
"""Maximum number of reads of a packed file that changes meanwhile. The last read is returned as it is, and its caller checks `changes`."""
PIECE_BYTES = 64 * 1024
"""Number of bytes unpacked at a time. A piece with damage is unpacked byte by byte instead, which takes a tenth of a second."""


class _DamageError(Exception):
    """The packed data cannot be unpacked from here on."""


class Content:
    """A plain alert file.

    All methods block and may raise OSError.
    """

    is_packed = False
    damage: str | None = None
    """Why a packed file cannot be read to its end, or None while it can."""
    changes = 0
    """How often a packed file was found to be replaced or to have grown. What was read of it before may belong to another content."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def status(self) -> Status:
        """Return the status of the file itself, packed or not."""
        return self._handle.status()

    def size(self) -> int:
        """Return the size of the content in bytes."""
        return self.status().size

    def read(self, offset: int, limit: int) -> bytes:
        """Return up to `limit` bytes from `offset` on."""
        return self._handle.read(offset, limit)

    def close(self) -> None:
        """Close the file.

        A second call does nothing.
        """
        self._handle.close()


def end_of_last_line(content: Content, end: int) -> int:
    """Return the offset after the last line feed before `end`, or 0 if there is none.

    Searches backwards.
    """
    while end > 0:
        start = max(0, end - PIECE_BYTES)
        found = content.read(start, end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def open_content(disk: Disk, path: Path) -> Content:
    """Open an alert file.

    A packed file is unpacked during reading.

    Raises:
        OSError: the file cannot be opened.
        CannotUnpackError: the name has a packer's suffix, but the format is unknown.
    """
    handle = disk.open(path)
    try:
        unpack = _unpacker_of(handle, path)
    except BaseException:
        handle.close()
        raise
    return Content(handle) if unpack is None else PackedContent(handle, unpack)


def _unpacker_of(handle: Handle, path: Path) -> Callable[[Any], Any] | None:
    first = handle.read(0, 8)
    for magic, unpack in _FORMATS.items():
        if first.startswith(magic):
            return unpack
    if first and is_packed_name(path) and not first.lstrip(b"\0").startswith(b"{"):
        raise CannotUnpackError(f"{path} is packed by a format that is not known here (known: gzip, xz, bzip2, zstd)")
    return None


class PackedContent(Content):
    """A former alert file that was packed by monitord, logrotate or an administrator.

    Offsets refer to the unpacked content. It is usually complete. While it is being packed it grows, and monitord overwrites an existing
    packed file. After a change, unpacking starts again from the beginning, because an unpacker in the middle of a changed file returns
    bytes of neither content.
    """

    is_packed = True

    def __init__(self, handle: Handle, unpack: Callable[[io.RawIOBase], Any]) -> None:
        super().__init__(handle)
        self._unpacker = unpack
        self._lock = Lock()
        """A read may still be running after its caller was cancelled."""
        self._size: tuple[int, int] | None = None
        """Size of the content in bytes, and the value of `changes` for which it was determined."""
        self._begin()

    def size(self) -> int:
        """Return the size of the content, found by unpacking all of it once.

        The size recorded in a packed file is not reliable.
        """
        self.read(0, 0)  # detects changes
        if self._size is None or self._size[1] != self.changes:
            end, changes = 0, self.changes
            while piece := self.read(end, PIECE_BYTES):
                end += len(piece)
            self._size = end, changes
        return self._size[0]

    def read(self, offset: int, limit: int) -> bytes:
        """Return up to `limit` bytes from `offset` on.

        Damage ends the content. A read is cheap if it begins within the last one (whose last line may be incomplete) or after it. Any other
        read unpacks from the beginning.
        """
        with self._lock:
            for _ in range(_TRIES):
                if self._has_changed():
                    self.changes += 1
                    self._begin()
                data = self._read(offset, limit)
                if not self._has_changed():
                    break
            return data

    def _begin(self) -> None:
        self.damage = None
        self._appearance = self._look()
        self._file = self._unpack()
        self._latest = (0, b"")
        """What was read last: offset and bytes."""

    def _has_changed(self) -> bool:
        return self._look() != self._appearance

    def _look(self) -> tuple[int, float]:
        status = self._handle.status()
        return status.size, status.modified

    def _read(self, offset: int, limit: int) -> bytes:
        begin, latest = self._latest
        data = bytearray(latest[offset - begin :][:limit] if offset >= begin else b"")
        try:
            try:
                self._unpack_to(data, offset, limit, PIECE_BYTES)
            except _DamageError:
                self._file = self._unpack()  # the good bytes of the same piece were lost with it
                self._unpack_to(data, offset, limit, 1)
        except (EOFError, _DamageError) as error:
            self.damage = str(error)
        except OSError:
            self._file = self._unpack()  # after a disk error the position of the unpacker is undefined
            raise
        self._latest = offset, bytes(data)
        return self._latest[1]

    def _unpack_to(self, data: bytearray, offset: int, limit: int, piece_bytes: int) -> None:
        """Append to `data`, which begins at `offset`, up to a total of `limit` bytes."""
        try:
            self._file.seek(offset + len(data))
            while len(data) < limit and (piece := self._file.read1(min(piece_bytes, limit - len(data)))):
                data += piece
        except _DAMAGED as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # a disk error, as gzip and bzip2 report damage with an OSError without a number
            raise _DamageError(str(error)) from error

    def _unpack(self) -> Any:
        return self._unpacker(_Stream(self._handle))

    def close(self) -> None:
        """Close the file (see `Content.close`)."""
        self._file.close()
        super().close()


class _Stream(io.RawIOBase):
    """A handle as the file object that the unpackers need."""

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
