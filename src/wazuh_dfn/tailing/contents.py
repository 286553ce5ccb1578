"""What Wazuh wrote, read from a plain or a packed file: blocking, and the same for a real and a simulated disk."""

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
"""By the first bytes: names say what a site calls them."""
_DAMAGED = (zlib.error, lzma.LZMAError, zstd.ZstdError, OSError)
_TRIES = 3
"""The number of reads of a packed file that changes meanwhile; the last one counts as it is, and its caller asks for `changes`."""
PIECE_BYTES = 64 * 1024
"""The amount unpacked at a time. The piece in which damage begins comes byte by byte instead, which takes a tenth of a second."""


class _DamageError(Exception):
    """What is packed can't be unpacked from here on."""


class Content:
    """A plain alert file. All methods block and may raise OSError."""

    is_packed = False
    damage: str | None = None
    """Why a packed file cannot be read to its end. None as long as it can."""
    changes = 0
    """How often a packed file was seen to be packed anew, or to have grown: what was read of it before may be another's."""

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
        """Close the file. A second call does nothing."""
        self._handle.close()


def end_of_last_line(content: Content, end: int) -> int:
    """Return the offset behind the last line feed before `end`, searching backwards; 0 if there is none."""
    while end > 0:
        start = max(0, end - PIECE_BYTES)
        found = content.read(start, end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def open_content(disk: Disk, path: Path) -> Content:
    """Open an alert file; one that is packed is unpacked while it is read.

    Raises:
        OSError: it can't be opened.
        CannotUnpackError: its name says that it is packed, and not by a format known here.
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
    """What monitord, logrotate or the site made of a former file. Offsets are those of the content.

    It is complete as a rule. While it is being packed it grows, and monitord writes over one that is there already; then unpacking begins
    anew, as an unpacker that stands in the middle gives bytes of neither content.
    """

    is_packed = True

    def __init__(self, handle: Handle, unpack: Callable[[io.RawIOBase], Any]) -> None:
        super().__init__(handle)
        self._unpacker = unpack
        self._lock = Lock()
        """A read whose caller was cancelled may still be going on."""
        self._size: tuple[int, int] | None = None
        """The size of the content, and after how many `changes`."""
        self._begin()

    def size(self) -> int:
        """See `Content`; found by reading all of it once, as a packed file does not tell reliably."""
        self.read(0, 0)  # notices changes
        if self._size is None or self._size[1] != self.changes:
            end, changes = 0, self.changes
            while piece := self.read(end, PIECE_BYTES):
                end += len(piece)
            self._size = end, changes
        return self._size[0]

    def read(self, offset: int, limit: int) -> bytes:
        """See `Content`. Damage ends the content.

        Cheap are reads that begin in what was read last (its last line may not be whole) or behind; others unpack from the beginning.
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
        """What was read last, and its offset."""

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
            self._file = self._unpack()  # an error of the disk: its place is lost
            raise
        self._latest = offset, bytes(data)
        return self._latest[1]

    def _unpack_to(self, data: bytearray, offset: int, limit: int, piece_bytes: int) -> None:
        """Add to `data`, which begins at `offset`, up to `limit` bytes in all."""
        try:
            self._file.seek(offset + len(data))
            while len(data) < limit and (piece := self._file.read1(min(piece_bytes, limit - len(data)))):
                data += piece
        except _DAMAGED as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # of the disk; gzip and bzip2 use the type without a number for damage
            raise _DamageError(str(error)) from error

    def _unpack(self) -> Any:
        return self._unpacker(_Stream(self._handle))

    def close(self) -> None:
        """See `Content`."""
        self._file.close()
        super().close()


class _Stream(io.RawIOBase):
    """A handle as the file object that the unpackers want."""

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
