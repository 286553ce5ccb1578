"""The real disk, with calls of `os` in worker threads of aiofiles and anyio."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import aiofiles.os
from anyio import to_thread

from wazuh_dfn.memory import return_what_is_free
from wazuh_dfn.tailing.disk import Status

READING_THREADS = 8
BLOCK_BYTES = 4096
_MOUNTS = Path("/proc/self/mountinfo")


class LocalHandle:
    """Implements `Handle` with a file descriptor."""

    def __init__(self, path: Path) -> None:
        # without O_NONBLOCK, a named pipe would block the thread until a writer opens it
        self._file = open(path, "rb", buffering=0, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
        if not stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
            self._file.close()
            raise OSError(errno.EINVAL, "is no regular file", str(path))

    def read(self, offset: int, limit: int) -> bytes:
        """Read bytes (see `Handle`)."""
        return os.pread(self._file.fileno(), limit, offset)

    def status(self) -> Status:
        """Return the status (see `Handle`)."""
        return _status(os.fstat(self._file.fileno()))

    def close(self) -> None:
        """Close the file (see `Handle`)."""
        self._file.close()


class LocalDisk:
    """Implements `Disk`.

    It works on asyncio only, because of aiofiles. `run` has its own threads, so that calls that hang do not take the threads in which host
    names are looked up.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(READING_THREADS, "disk")

    async def run[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Disk`."""
        return await aiofiles.os.wrap(function)(*args, executor=self._threads, **kwargs)

    async def run_to_its_end[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Disk`."""
        return await to_thread.run_sync(partial(function, *args, **kwargs))

    def open(self, path: Path) -> LocalHandle:
        """See `Disk`."""
        return LocalHandle(path)

    def status(self, path: Path) -> Status:
        """See `Disk`."""
        return _status(path.stat())

    def resolve(self, path: Path) -> Path:
        """See `Disk`."""
        try:
            return path.resolve(strict=True)
        except FileNotFoundError:
            return path.resolve()
        except RuntimeError:  # what Python 3.12 raises for a loop
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from None

    def is_mount_point(self, path: Path) -> bool:
        """Return whether the path is a mount point.

        See `Disk`. `os.path.ismount` works for folders only.
        """
        with suppress(OSError):  # without /proc it cannot be determined
            resolved = os.fsencode(self.resolve(path))
            return any(_mounted_on(line) == resolved for line in _MOUNTS.read_bytes().splitlines())
        return False

    def names(self, folder: Path) -> list[str]:
        """See `Disk`."""
        return os.listdir(folder)  # noqa: PTH208 - names alone are wanted

    def read(self, path: Path) -> bytes:
        """See `Disk`."""
        return path.read_bytes()

    def write(self, path: Path, data: bytes) -> None:
        """See `Disk`."""
        _write(path, data, os.fsync)

    def write_cached(self, path: Path, data: bytes) -> None:
        """See `Disk`."""
        _write(path, data, lambda _: None)

    def write_unsynced(self, path: Path, data: bytes) -> None:
        """Write in place (see `Disk`).

        Whole blocks are written at once, so that no kill falls between the new content and the end of the old one.
        """
        blocks = data.ljust(-(-len(data) // BLOCK_BYTES) * BLOCK_BYTES)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o640)
        try:
            os.pwrite(descriptor, blocks, 0)
            if os.fstat(descriptor).st_size > len(blocks):
                os.ftruncate(descriptor, len(blocks))
        finally:
            os.close(descriptor)

    def rename(self, path: Path, to: Path) -> None:
        """See `Disk`."""
        path.replace(to)

    def remove(self, path: Path) -> None:
        """See `Disk`."""
        path.unlink(missing_ok=True)

    def make_folder(self, path: Path) -> None:
        """See `Disk`."""
        path.mkdir(parents=True, exist_ok=True)

    def sync_folder(self, path: Path) -> None:
        """See `Disk`."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def sync_file_system(self, folder: Path) -> None:
        """See `Disk`."""
        syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if syncfs is None:
            os.sync()
            return
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if syncfs(descriptor) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), str(folder))
        finally:
            os.close(descriptor)

    def return_memory(self) -> None:
        """See `Disk`."""
        return_what_is_free()


def _write(path: Path, data: bytes, sync: Callable[[int], None]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            sync(file.fileno())
    except OSError as error:
        error.filename = str(path)  # the error of a full disk does not name the file
        raise


def _status(status: os.stat_result) -> Status:
    return Status(status.st_dev, status.st_ino, status.st_size, status.st_mtime, status.st_nlink)


def _mounted_on(line: bytes) -> bytes:
    """Return the mount point of a line of mountinfo (proc(5)), which writes blanks as octal escapes."""
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), line.split(b" ", 5)[4])
