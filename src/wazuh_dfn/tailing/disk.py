"""The file operations that the adapters need.

A simulated disk, with crashes and power cuts, can replace the real one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Status:
    """Status of a file.

    `size` is in bytes, `modified` in seconds since the epoch, and `links` is the number of its names.
    """

    device: int
    inode: int
    size: int
    modified: float
    links: int

    @property
    def node(self) -> tuple[int, int]:
        """Device and inode, which distinguish files that exist at the same time.

        After a file is gone, another can get both.
        """
        return self.device, self.inode


class Handle(Protocol):
    """A file held open for reading.

    It stays readable after its last name is removed.
    """

    def read(self, offset: int, limit: int) -> bytes:
        """Return up to `limit` bytes from `offset` on, without moving a shared file position."""

    def status(self) -> Status:
        """Return its present status."""

    def close(self) -> None:
        """Close the file.

        A second call does nothing.
        """


class Disk(Protocol):
    """Files by path.

    All methods block, except `run` and `run_to_its_end`. The blocking ones raise OSError as the operating system does, except
    `return_memory`.
    """

    async def run[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that reads, outside the event loop.

        After a cancellation its result is discarded.
        """

    async def run_to_its_end[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that writes, outside the event loop.

        A cancellation waits for it, so that two never write at once.
        """

    def open(self, path: Path) -> Handle:
        """Open for reading.

        A folder raises IsADirectoryError.
        """

    def status(self, path: Path) -> Status:
        """Return the status of what the path names."""

    def resolve(self, path: Path) -> Path:
        """Return the path without symbolic links.

        Its target need not exist.
        """

    def is_mount_point(self, path: Path) -> bool:
        """Return whether something is mounted on this very path."""

    def names(self, folder: Path) -> list[str]:
        """Return the names in a folder."""

    def read(self, path: Path) -> bytes:
        """Return the whole content."""

    def write(self, path: Path, data: bytes) -> None:
        """Write the whole content so that it survives a power cut.

        The name may not survive before `sync_folder`.
        """

    def write_unsynced(self, path: Path, data: bytes) -> None:
        """Write the whole content in place.

        It survives a killed process, but a power cut may leave any mixture of old and new.
        """

    def write_cached(self, path: Path, data: bytes) -> None:
        """Write the whole content without waiting for the disk.

        Neither content nor name survives a power cut before `sync_file_system`.
        """

    def rename(self, path: Path, to: Path) -> None:
        """Rename a file and replace an existing target."""

    def remove(self, path: Path) -> None:
        """Remove a name.

        A missing one is not an error.
        """

    def make_folder(self, path: Path) -> None:
        """Create a folder and its parents.

        An existing one is not an error.
        """

    def sync_folder(self, path: Path) -> None:
        """Make the names in a folder survive a power cut."""

    def sync_file_system(self, folder: Path) -> None:
        """Make all contents and names on the file system of a folder survive a power cut, with one wait for any number of files."""

    def return_memory(self) -> None:
        """Return free memory to the operating system.

        Takes about a millisecond and cannot fail.
        """


def write_durably(disk: Disk, path: Path, data: bytes) -> None:
    """Write a temporary file and rename it, so that a reader sees the old content or the new one.

    `sync_folder` makes the rename durable.

    Raises:
        OSError: the file cannot be written. The old content is still there.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    disk.write(temporary, data)
    disk.rename(temporary, path)
