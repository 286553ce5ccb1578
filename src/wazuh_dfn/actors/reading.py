"""Where the reading stands. It outlives the tailer, so that a crash of the tailer loses neither the place nor the open file."""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog

from wazuh_dfn.delivery.ports import OpenAlertFile
from wazuh_dfn.messages import FileIdentity, Position

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class ReadingPlace:
    """The open file and the byte up to which its lines have been handed on."""

    file: OpenAlertFile | None = None
    at: Position | None = None
    """Where in that file; None as long as no file was found."""
    former: FileIdentity | None = None
    """The last file with something in it that was read to its end; an empty one after it may be deleted without a trace."""
    successor: OpenAlertFile | None = None
    """What is to be read next; the file itself is complete then, and is read to its end first."""
    copies_since: float = 0.0
    """Copies made by logrotate before this time (seconds since the epoch) have been read, or are parts of what was."""
    skipped: int = 0
    """While a line over the limit is being skipped: for so many bytes it was seen to go on."""
    has_waited: bool = False
    """Whether there was no file at first: whatever appears then is new, and is read from its beginning."""
    problems: list[str] = field(default_factory=list)
    """Why there is nothing to read, or not from where it should be; emptied when reading goes on."""

    def note_problem(self, problem: str) -> None:
        """Log why reading can't go on as usual, once until it does."""
        if problem not in self.problems:
            self.problems.append(problem)
            log.warning("reading can't go on as usual", reason=problem, remedy="`wazuh-dfn check` tells what to do")

    def move_to(self, file: OpenAlertFile, position: Position) -> None:
        """Read on in `file` at `position`."""
        self.file = file
        self.go_on(position)
        log.info("reading", file=file.path, offset=position.offset)

    def go_on(self, position: Position) -> None:
        """All before `position` in the same file has been handed on."""
        self.at, self.skipped = position, 0
        self.problems.clear()


async def beginning_of(file: OpenAlertFile) -> Position:
    """Return the position of its first byte, with its present identity."""
    return Position(file.path, await file.identity(), 0)
