"""What the adapters need of an operating system's files, so that a simulated disk can stand in for it, with its crashes and power cuts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Status:
    """Of a file: `size` in bytes, `modified` in seconds since the epoch, `links` is how many names it has."""

    device: int
    inode: int
    size: int
    modified: float
    links: int

    @property
    def node(self) -> tuple[int, int]:
        """See `FileIdentity.node`."""
        return self.device, self.inode


class Handle(Protocol):
    """A file held open for reading; it stays readable when its last name is removed."""

    def read(self, offset: int, limit: int) -> bytes:
        """Return up to `limit` bytes from `offset` on, without moving a shared file position."""

    def status(self) -> Status:
        """Return its present status."""

    def close(self) -> None:
        """Close it; a second call does nothing."""


class Disk(Protocol):
    """Files by path. All but the first two block, and all of those but the last raise OSError as the operating system does."""

    async def run[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that reads, away from the event loop; if cancelled, its result is thrown away."""

    async def run_to_its_end[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that writes, away from the event loop; a cancellation waits for it, so that no two ever write at once."""

    def open(self, path: Path) -> Handle:
        """Open for reading; a folder raises IsADirectoryError."""

    def status(self, path: Path) -> Status:
        """Return the status of what the path names."""

    def resolve(self, path: Path) -> Path:
        """Follow all symbolic links. The file at the end may be missing, its folder too."""

    def names(self, folder: Path) -> list[str]:
        """Return the names in a folder."""

    def read(self, path: Path) -> bytes:
        """Return all content."""

    def write(self, path: Path, data: bytes) -> None:
        """Write all content, and return once it would survive a power cut; the name may not, before `sync_folder`."""

    def rename(self, path: Path, to: Path) -> None:
        """Give it another name, in place of what has that name."""

    def remove(self, path: Path) -> None:
        """Remove a name; none is no error."""

    def make_folder(self, path: Path) -> None:
        """Make a folder and those above; that it is there already is no error."""

    def sync_folder(self, path: Path) -> None:
        """Make the names in a folder survive a power cut."""

    def return_memory(self) -> None:
        """Give memory that is free back to the operating system; takes about a millisecond, and can't fail."""


def write_durably(disk: Disk, path: Path, data: bytes) -> None:
    """Write beside and rename: a reader sees the old content or the new one. `sync_folder` makes the rename last.

    Raises:
        OSError: it can't be written; the old content is still there.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    disk.write(temporary, data)
    disk.rename(temporary, path)
