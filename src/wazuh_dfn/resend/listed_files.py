"""A list of files in place of `alerts.json`: one after the other, and then an end, which the real one never has."""

from __future__ import annotations

from collections.abc import Sequence

from wazuh_dfn.delivery.ports import OpenAlertFile, SavedPosition
from wazuh_dfn.messages import NO_BYTES, FileIdentity, Position


class CompleteFile:
    """What `OpenAlertFile` asks of a file that nobody writes to, and that has no rotated siblings."""

    is_gzipped = False
    begun = 0.0

    async def holds(self, position: Position) -> bool:
        """See `OpenAlertFile`."""
        del position
        return True

    async def unnamed_bytes(self) -> int:
        """See `OpenAlertFile`."""
        return 0

    async def modified(self) -> float:
        """See `OpenAlertFile`."""
        return 0.0

    async def aclose(self) -> None:
        """See `OpenAlertFile`."""


class EndOfFiles(CompleteFile):
    """Implements `OpenAlertFile`: an empty file that comes after the last one. Who reads here has read all."""

    path = "(end)"

    async def identity(self) -> FileIdentity:
        """See `OpenAlertFile`."""
        return FileIdentity(0, 1, NO_BYTES)  # of another file than any before

    async def size(self) -> int:
        """See `OpenAlertFile`."""
        return 0

    async def read(self, position: Position, limit: int, *, skip: int = 0) -> bytes:
        """See `OpenAlertFile`."""
        del position, limit, skip
        return b""


class ListedFiles:
    """Implements `AlertFiles`.

    Args:
        files: open already, with different paths, in the order in which they are to be read. None of them is written to any more.
    """

    def __init__(self, files: Sequence[OpenAlertFile]) -> None:
        self.files = tuple(files)
        self.end = EndOfFiles()
        self.path = ", ".join(file.path for file in self.files)

    async def open_current(self) -> OpenAlertFile | None:
        """See `AlertFiles`."""
        return self.files[0] if self.files else self.end

    async def is_current(self, file: OpenAlertFile) -> bool:
        """See `AlertFiles`."""
        return file is self.end

    async def open_former(self, position: Position) -> OpenAlertFile | None:
        """See `AlertFiles`."""
        del position
        return None

    async def open_copy(self, since: float, until: float) -> OpenAlertFile | None:
        """See `AlertFiles`."""
        del since, until
        return None

    async def open_successor(self, identities: Sequence[FileIdentity], since: float, path: str = "") -> OpenAlertFile | None:
        """See `AlertFiles`."""
        del identities, since
        following = [file.path for file in self.files].index(path) + 1
        return self.files[following] if following < len(self.files) else self.end


class NoCheckpoints:
    """Implements `CheckpointStore`: what is sent again is not continued later."""

    async def load(self) -> SavedPosition | None:
        """See `CheckpointStore`."""
        return None

    async def save(self, position: Position) -> None:
        """See `CheckpointStore`."""
