"""`alerts.json` and the files it named before, on any disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wazuh_dfn.adapters.alert_content import Content, open_content
from wazuh_dfn.adapters.dated_files import begun, dated_name, slot_of
from wazuh_dfn.adapters.disk import Disk
from wazuh_dfn.adapters.former_files import find, successors, unread_copy
from wazuh_dfn.delivery.ports import OpenAlertFile
from wazuh_dfn.messages import FileIdentity, Position


class AlertFile:
    """Implements `OpenAlertFile`."""

    def __init__(self, disk: Disk, path: Path, content: Content) -> None:
        self.path = str(path)
        self.is_gzipped = path.suffix == ".gz"
        self._disk = disk
        self._content = content

    @property
    def begun(self) -> float:
        """See `OpenAlertFile`."""
        return begun(Path(self.path))

    async def identity(self) -> FileIdentity:
        """See `OpenAlertFile`."""
        return await self._disk.run(self._content.identity)

    async def holds(self, position: Position) -> bool:
        """See `OpenAlertFile`."""
        if not position.is_telling and position.path != self.path:
            return False
        return await self._disk.run(self._content.holds, position)

    async def size(self) -> int:
        """See `OpenAlertFile`."""
        return await self._disk.run(self._content.size)

    async def unnamed_bytes(self) -> int:
        """See `OpenAlertFile`."""
        status = await self._disk.run(self._content.status)
        return 0 if status.links else status.size

    async def modified(self) -> float:
        """See `OpenAlertFile`."""
        return (await self._disk.run(self._content.status)).modified

    async def read(self, position: Position, limit: int, *, skip: int = 0) -> bytes:
        """See `OpenAlertFile`."""
        return await self._disk.run(self._content.read_after, position, limit, skip)

    async def aclose(self) -> None:
        """See `OpenAlertFile`."""
        await self._disk.run(self.close)

    def close(self) -> None:
        """Close it, and give back what reading it has left free; blocks."""
        self._content.close()
        self._disk.return_memory()


class AlertPath:
    """Implements `AlertFiles` for the path `alerts.json`, which Wazuh links to another file every day (and at other times)."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = str(path)
        self._path = path
        self._disk = disk

    async def open_current(self) -> OpenAlertFile | None:
        """See `AlertFiles`; its path is the dated name, where it has one: that tells its place among the others, whatever the clock says."""
        file = await self._open(self._path)
        if file is not None:
            identity = await file.identity()
            dated = await self._disk.run(dated_name, self._disk, self._path, identity.node)
            file.path = str(dated or self._path)
        return file

    async def is_current(self, file: OpenAlertFile) -> bool:
        """See `AlertFiles`."""
        identity = await file.identity()
        try:
            status = await self._disk.run(self._disk.status, self._path)
        except FileNotFoundError:
            return False
        return status.node == identity.node

    async def open_former(self, position: Position) -> OpenAlertFile | None:
        """See `AlertFiles`."""
        found = await self._disk.run(find, self._disk, self._path, position)
        return await self._open_former(found) if found is not None else None

    async def open_copy(self, since: float, until: float) -> OpenAlertFile | None:
        """See `AlertFiles`."""
        while (found := await self._disk.run(unread_copy, self._disk, self._path, since, until)) is not None:
            file = await self._open_former(found[0])
            if file is not None and await file.modified() == found[1]:
                return file
            if file is not None:  # logrotate is just numbering its copies up
                await file.aclose()
        return None

    async def open_successor(self, identities: Sequence[FileIdentity], since: float, path: str = "") -> OpenAlertFile | None:
        """See `AlertFiles`."""
        current = await self.open_current()
        if current is None:
            return None
        current_identity = await current.identity()
        for name in await self._disk.run(successors, self._disk, self._path, identities, since, Path(path)):
            file = await self._open_former(name)
            if file is None:
                continue
            found = await file.identity()
            if found.node == current_identity.node:
                await file.aclose()
                break
            await current.aclose()
            return file
        if slot_of(Path(path)) is not None and slot_of(Path(current.path)) is None and not await current.size():
            await current.aclose()  # Wazuh has deleted the empty file of a day, and is about to link alerts.json to the next one
            return None
        return current

    async def _open_former(self, path: Path) -> OpenAlertFile | None:
        """Open it, under its other name if it has just been gzipped; None if it is gone."""
        plain = path.with_suffix("") if path.suffix == ".gz" else path
        return await self._open(plain) or await self._open(plain.with_name(f"{plain.name}.gz"))

    async def _open(self, path: Path) -> AlertFile | None:
        try:
            return AlertFile(self._disk, path, await self._disk.run(open_content, self._disk, path))
        except FileNotFoundError:
            return None
