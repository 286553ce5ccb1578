"""An alert file that is open, and the path `alerts.json` with all that lies around it, on any disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from wazuh_dfn.errors import FileTruncatedError
from wazuh_dfn.messages import NO_BYTES, Fingerprint, Position
from wazuh_dfn.tailing.contents import Content, open_content
from wazuh_dfn.tailing.disk import Disk
from wazuh_dfn.tailing.names import RECENT_MONTHS, sight
from wazuh_dfn.tailing.old_files import IsOld, OldFile, old_files
from wazuh_dfn.tailing.registry import Mark, Match, Registry
from wazuh_dfn.tailing.survey import Survey, is_same, match, survey


class OpenAlertFile(Protocol):
    """A file of alert lines that is open."""

    path: str
    number: int | None
    """In the registry, once that is known."""
    head: Fingerprint
    """Of its first bytes that were read."""

    @property
    def node(self) -> tuple[int, int]:
        """See `Status.node`."""

    @property
    def is_packed(self) -> bool:
        """Whether it is unpacked while it is read; it is complete then."""

    async def size(self) -> int:
        """Return the present size of the content in bytes."""

    async def unnamed_bytes(self) -> int:
        """Return how many bytes it keeps on the disk although its last name was removed; 0 if it has a name."""

    async def read(self, position: Position, limit: int, *, skip: int = 0) -> bytes:
        """Return up to `limit` bytes from `skip` bytes after the position on; empty at the end of the file.

        Raises:
            FileTruncatedError: it does not hold the bytes before the position any more.
            OSError: the operating system can't read it.
        """

    async def aclose(self) -> None:
        """Close it; a second call does nothing."""


class AlertFile:
    """Implements `OpenAlertFile` on a disk; it stays readable when its last name is removed."""

    def __init__(self, disk: Disk, path: Path, content: Content) -> None:
        self.path = str(path)
        self.node = content.status().node
        self.number: int | None = None
        self.head = NO_BYTES
        self.content = content
        self._disk = disk

    @property
    def is_packed(self) -> bool:
        """See `OpenAlertFile`."""
        return self.content.is_packed

    async def size(self) -> int:
        """See `OpenAlertFile`."""
        return await self._disk.run(self.content.size)

    async def unnamed_bytes(self) -> int:
        """See `OpenAlertFile`."""
        status = await self._disk.run(self.content.status)
        return 0 if status.links else status.size

    async def read(self, position: Position, limit: int, *, skip: int = 0) -> bytes:
        """See `OpenAlertFile`."""
        return await self._disk.run(self._read, position, limit, skip)

    def _read(self, position: Position, limit: int, skip: int) -> bytes:
        data = self.content.read(position.offset + skip, limit)
        if not self.content.is_packed and not is_same(
            self.content, self.head, Mark(position.offset, position.tail)
        ):  # looked at afterwards, so that it was true when the data was read
            raise FileTruncatedError(position.path)
        return data

    async def has_name(self) -> bool:
        """Return whether there still is a name for it."""
        return bool((await self._disk.run(self.content.status)).links)

    async def aclose(self) -> None:
        """See `OpenAlertFile`."""
        await self._disk.run(self.close)

    def close(self) -> None:
        """Close it, and give back what reading it has left free; blocks."""
        self.content.close()
        self._disk.return_memory()


type Named = Literal["this", "another", "nothing"]


class AlertFiles(Protocol):
    """The place where Wazuh writes alerts."""

    path: str
    """What the operator calls it."""

    async def survey(self, registry: Registry, held: Sequence[AlertFile], *, everything: bool) -> Survey:
        """See `wazuh_dfn.tailing.survey.survey`."""

    async def open(self, path: Path) -> AlertFile:
        """Open a file that a survey has found; raises OSError or CannotUnpackError."""

    async def match(self, registry: Registry, file: AlertFile) -> Match | None:
        """See `wazuh_dfn.tailing.survey.match`."""

    async def old_files(self, is_old: IsOld, registry: Registry) -> list[OldFile]:
        """See `wazuh_dfn.tailing.old_files.old_files`."""

    async def named(self, file: OpenAlertFile | None) -> Named:
        """Return what `alerts.json` names by now: this very file, another one, or nothing."""

    async def open_current(self) -> AlertFile | None:
        """Open what `alerts.json` names; None while it names nothing."""

    async def is_mount_point(self) -> bool:
        """Return whether `alerts.json` alone was mounted, as into a container: it can't be replaced then."""


class AlertFolder:
    """Implements `AlertFiles` for the path `alerts.json`, which Wazuh links to another file every day (and at other times)."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = str(path)
        self._path = path
        self._disk = disk

    async def survey(self, registry: Registry, held: Sequence[AlertFile], *, everything: bool) -> Survey:
        """See `AlertFiles`."""
        return await self._disk.run(self._survey, registry, tuple(held), everything)

    def _survey(self, registry: Registry, held: Sequence[AlertFile], everything: bool) -> Survey:  # noqa: FBT001 - in a thread
        return survey(self._disk, self._disk.resolve(self._path), registry, held, everything=everything)

    async def open(self, path: Path) -> AlertFile:
        """See `AlertFiles`."""
        return await self._disk.run(self._open, path)

    def _open(self, path: Path) -> AlertFile:
        content = open_content(self._disk, path)
        return AlertFile(self._disk, path, content)

    async def match(self, registry: Registry, file: AlertFile) -> Match | None:
        """See `AlertFiles`."""
        return await self._disk.run(match, registry, file.content, file.path, file.number)

    async def old_files(self, is_old: IsOld, registry: Registry) -> list[OldFile]:
        """See `AlertFiles`."""
        return await self._disk.run(self._old_files, is_old, registry)

    def _old_files(self, is_old: IsOld, registry: Registry) -> list[OldFile]:
        return old_files(self._disk, self._disk.resolve(self._path), is_old, registry)

    async def named(self, file: OpenAlertFile | None) -> Named:
        """See `AlertFiles`."""
        return await self._disk.run(self._named, file)

    def _named(self, file: OpenAlertFile | None) -> Named:
        try:
            status = self._disk.status(self._path)
        except FileNotFoundError:
            return "nothing"
        return "this" if file is not None and status.node == file.node else "another"

    async def open_current(self) -> AlertFile | None:
        """See `AlertFiles`."""
        try:
            return await self._disk.run(self._open_current)
        except FileNotFoundError:
            return None

    def _open_current(self) -> AlertFile:
        """Open it by its dated name where it has one: that tells its place among the others."""
        alerts = self._disk.resolve(self._path)
        current = next((sighting for sighting in sight(self._disk, alerts, RECENT_MONTHS, {}) if sighting.is_current), None)
        return self._open(current.path if current is not None else alerts)

    async def is_mount_point(self) -> bool:
        """See `AlertFiles`."""
        return await self._disk.run(self._disk.is_mount_point, self._path)
