"""Where the reading stands. It outlives the tailer, so that a crash of the tailer loses neither the place nor an open file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import structlog

from wazuh_dfn.messages import Position
from wazuh_dfn.tailing.alert_file import AlertFile
from wazuh_dfn.tailing.registry import Registry
from wazuh_dfn.trouble import Trouble

log = structlog.get_logger(__name__)


class ReadingTrouble(Enum):
    """What keeps reading from going on as usual; the value is what to do about it."""

    MISSING = "check that Wazuh runs and that wazuh.json_alert_file names its alerts.json"
    UNREADABLE = "check the permissions (group wazuh) and the disk; `wazuh-dfn check` looks at both"
    FILE_UNREADABLE = "check its permissions and the disk; it is read as soon as it can be, all other files meanwhile"
    CHECKPOINT = "check the disk of wazuh.checkpoint_file"
    CANNOT_UNPACK = "unpack it into a file of the same name without the suffix, it is read then; or remove it if it was read before"
    DAMAGED = "restore it from a backup under another name beside alerts.json if there is one"
    MOUNT_POINT = "mount the folder of alerts.json instead: Wazuh replaces the file every day, which a mount of the file alone can't show"
    STANDS_STILL = "let wazuh.json_alert_file name the alerts.json in the folder that Wazuh writes to, not a copy or a mount of it"


@dataclass(slots=True)
class ReadingPlace:
    """The registry, the open files, and the one that is being read."""

    registry: Registry = field(default_factory=Registry)
    held: list[AlertFile] = field(default_factory=list)
    file: AlertFile | None = None
    """The one that is being read, of `held` as a rule."""
    is_complete: bool = False
    """Whether nobody writes to the file that is being read any more."""
    scanned: int = 0
    """From the position on, this many bytes are known to hold no line feed: the beginning of a long line."""
    _troubles: dict[ReadingTrouble, dict[str, Trouble]] = field(default_factory=dict)

    @property
    def at(self) -> Position | None:
        """The byte up to which the file's lines have been handed on; None as long as there is no file."""
        if self.file is None:
            return None
        path, inode = self.file.path, self.file.node[1]
        if self.file.number is None:
            return Position(path, inode, 0)
        known = self.registry.files[self.file.number]
        return Position(path, inode, known.read_to.offset, known.read_to.tail, known.number)

    @property
    def problems(self) -> list[str]:
        """Why there is nothing to read, or not from where it should be, and what to do."""
        return [f"{each.reason}; {kind.value}" for kind, troubles in self._troubles.items() for each in troubles.values()]

    def note(self, kind: ReadingTrouble, text: str) -> None:
        """Log trouble with reading, once until it is over."""
        self.note_all(kind, {"": text})

    def note_all(self, kind: ReadingTrouble, texts: Mapping[str, str] | Mapping[Path, str]) -> None:
        """Set all that there is of one kind of trouble, by file."""
        known, now = self._troubles.setdefault(kind, {}), {str(key): text for key, text in texts.items()}
        for key in known.keys() - now.keys():
            known.pop(key).is_over(trouble=kind.name.lower())
        for key, text in now.items():
            if key not in known:
                known[key] = Trouble(log, "cannot continue reading as usual", "reading trouble is over")
            known[key].note(text, "warning", trouble=kind.name.lower(), remedy=kind.value)

    def is_over(self, *kinds: ReadingTrouble) -> None:
        """These kinds of trouble are over."""
        for kind in kinds:
            self.note_all(kind, {})

    def go_on(self, end: Position) -> None:
        """All before `end` in the present file has been handed on."""
        self.registry.go_on(end)
        self.scanned = 0
        self.is_over(ReadingTrouble.UNREADABLE)

    async def aclose(self) -> None:
        """Close all files."""
        for file in self.held:
            await file.aclose()
