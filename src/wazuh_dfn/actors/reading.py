"""Where the reading stands. It outlives the tailer, so that a crash of the tailer loses neither the place nor the open file."""

from __future__ import annotations

from dataclasses import dataclass, field

from wazuh_dfn.delivery.ports import OpenAlertFile
from wazuh_dfn.messages import FileIdentity, Position


@dataclass(slots=True)
class ReadingPlace:
    """The open file and the byte up to which its lines have been handed on."""

    file: OpenAlertFile | None = None
    identity: FileIdentity | None = None
    offset: int = 0
    successor: OpenAlertFile | None = None
    """What `alerts.json` names by now; the file itself is complete then, and is read to its end first."""
    scanned_to: int = 0
    """While a line over the limit is being skipped: up to here it was seen to go on."""
    has_waited: bool = False
    """Whether there was no file at first: whatever appears then is new, and is read from its beginning."""
    problems: list[str] = field(default_factory=list)
    """Why there is nothing to read, or not from where it should be; emptied when reading goes on."""

    @property
    def position(self) -> Position:
        """The place as a position; only while a file is open."""
        if self.file is None or self.identity is None:
            raise ValueError("no file is open")
        return Position(self.file.path, self.identity, self.offset)

    def move_to(self, file: OpenAlertFile, identity: FileIdentity, offset: int) -> None:
        """Read on in `file` at `offset`."""
        self.file, self.identity, self.offset, self.scanned_to = file, identity, offset, 0
        self.problems.clear()
