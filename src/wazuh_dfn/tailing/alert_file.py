"""An open alert file, and the folder where Wazuh writes it, for use in the event loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wazuh_dfn.errors import FileTruncatedError
from wazuh_dfn.messages import NO_BYTES, Position
from wazuh_dfn.tailing.contents import Content, end_of_last_line, open_content
from wazuh_dfn.tailing.disk import Disk
from wazuh_dfn.tailing.names import Month, list_files
from wazuh_dfn.tailing.registry import Appearance, Mark, Match, Registry
from wazuh_dfn.tailing.survey import Survey, is_same, match, survey


class AlertFile:
    """An open file of alert lines.

    It stays readable after its last name is removed.
    """

    def __init__(self, disk: Disk, path: Path, content: Content) -> None:
        self.path = str(path)
        self.node = content.status().node
        self.number: int | None = None
        """Key in the registry, or None while nothing of the file was read and its content cannot identify it yet."""
        self.head = NO_BYTES
        """Fingerprint of the first bytes that were read."""
        self.content = content
        self._disk = disk
        self._checked_changes = 0
        """The value of `changes` of a packed file for which the bytes before the position were last verified."""

    @property
    def is_packed(self) -> bool:
        """Whether the file is unpacked during reading.

        A packed file counts as complete.
        """
        return self.content.is_packed

    async def size(self) -> int:
        """Return the present size of the content in bytes."""
        return await self._disk.run(self.content.size)

    async def unnamed_bytes(self) -> int:
        """Return the size in bytes of a file without a name, or 0 for a file that has one."""
        status = await self._disk.run(self.content.status)
        return 0 if status.links else status.size

    async def read(self, position: Position, limit: int, *, skip: int = 0) -> bytes:
        """Return up to `limit` bytes, starting `skip` bytes after the position.

        The result is empty at the end of the file.

        Raises:
            FileTruncatedError: the bytes before the position have changed.
            OSError: the operating system cannot read the file.
        """
        return await self._disk.run(self._read, position, limit, skip)

    def _read(self, position: Position, limit: int, skip: int) -> bytes:
        data = self.content.read(position.offset + skip, limit)
        # checked after the read, so that it held when the data was read
        changes = self.content.changes
        if not self.is_packed or changes != self._checked_changes:
            if not is_same(self.content, self.head, Mark(position.offset, position.tail)):
                raise FileTruncatedError(position.path)
            self._checked_changes = changes
        return data

    async def begun_line(self, offset: int) -> Mark | None:
        """Return the mark at the beginning of the line if reading stopped at this offset in the middle of a line.

        Return None if a line ends there, if the bytes before the offset look like the end of an alert, or if the file ends there.
        """
        return await self._disk.run(self._begun_line, offset)

    def _begun_line(self, offset: int) -> Mark | None:
        before, behind = self.content.read(offset - 1, 1), self.content.read(offset, 1)
        if before in (b"", b"\n", b"}") or behind in (b"", b"\n"):
            return None
        return Mark.at_end(self.content, end_of_last_line(self.content, offset))

    async def appearance(self) -> Appearance:
        """Return its present appearance."""
        status = await self._disk.run(self.content.status)
        return Appearance(self.path, status.size, status.modified)

    async def aclose(self) -> None:
        """Close the file.

        A second call does nothing.
        """
        await self._disk.run(self.close)

    def close(self) -> None:
        """Close the file and return freed memory to the operating system.

        Blocks.
        """
        self.content.close()
        self._disk.return_memory()


@dataclass(frozen=True, slots=True)
class AlertFolder:
    """The path of `alerts.json`, and the disk that holds it and the files around it.

    Its methods run in a thread of the disk.
    """

    path: Path
    disk: Disk

    async def survey(self, registry: Registry, held: Sequence[AlertFile], since: Month) -> Survey:
        """Survey the disk (see `tailing.survey.survey`)."""
        return await self.disk.run(survey, self.disk, self.path, registry, tuple(held), since)

    async def open(self, path: Path) -> AlertFile:
        """Open a file that a survey has found.

        Raises:
            OSError: the file cannot be opened.
            CannotUnpackError: the file is packed in an unknown format.
        """
        return await self.disk.run(lambda: AlertFile(self.disk, path, open_content(self.disk, path)))

    async def match(self, registry: Registry, file: AlertFile) -> Match | None:
        """Identify an open file (see `tailing.survey.match`)."""
        return await self.disk.run(match, registry, file.content, file.path, file.number)

    async def current_node(self) -> tuple[int, int] | None:
        """Return device and inode of `alerts.json`, or None while it does not exist."""
        try:
            return (await self.disk.run(self.disk.status, self.path)).node
        except FileNotFoundError:
            return None

    async def current_path(self, since: Month) -> Path | None:
        """Return the path of the current file, or None while `alerts.json` does not exist.

        It is the dated name if the file has one in the months from `since` on.
        """
        found = await self.disk.run(lambda: list_files(self.disk, self.disk.resolve(self.path), since))
        return found.current.path if found.current is not None else None

    async def is_mount_point(self) -> bool:
        """Return whether `alerts.json` itself is a mount point, which Wazuh cannot replace."""
        return await self.disk.run(self.disk.is_mount_point, self.path)
