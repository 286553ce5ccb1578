"""The reading position.

It survives the tailer, so a crash of the tailer loses neither the position nor an open file.
"""

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
    """Reasons why reading cannot continue as usual.

    The value is the remedy.
    """

    MISSING = "check that Wazuh is running and that wazuh.json_alert_file is the path of its alerts.json"
    UNREADABLE = "check the permissions (group wazuh) and the disk; `wazuh-dfn check` tests both"
    FILE_UNREADABLE = "check its permissions and the disk; it is read as soon as it is readable, all other files are read until then"
    CHECKPOINT = "check the disk of wazuh.checkpoint_file"
    CANNOT_UNPACK = "decompress it into a file of the same name without the suffix, which is then read; or remove it if it was read before"
    DAMAGED = "if there is a backup, restore it under another name in the folder of alerts.json"
    MOUNT_POINT = (
        "mount the folder of alerts.json instead: Wazuh replaces the file every day, and a mount of the file alone does not follow this"
    )
    STANDS_STILL = "set wazuh.json_alert_file to the alerts.json in the folder that Wazuh writes to, not to a copy or a mount of it"


@dataclass(slots=True)
class ReadingPlace:
    """The registry, the open files, and the file being read."""

    registry: Registry = field(default_factory=Registry)
    held: list[AlertFile] = field(default_factory=list)
    file: AlertFile | None = None
    """The file being read, usually one of `held`."""
    is_complete: bool = False
    """Whether the file being read is complete, that is, no longer written to."""
    scanned: int = 0
    """Number of bytes from the position on that are known to hold no line feed: the beginning of a long line."""
    _troubles: dict[ReadingTrouble, dict[str, Trouble]] = field(default_factory=dict)

    @property
    def at(self) -> Position | None:
        """The position up to which the lines of the file have been passed on, or None while there is no file."""
        if self.file is None:
            return None
        path, inode = self.file.path, self.file.node[1]
        if self.file.number is None:
            return Position(path, inode, 0)
        known = self.registry.files[self.file.number]
        return Position(path, inode, known.read_to.offset, known.read_to.tail, known.number)

    @property
    def problems(self) -> list[str]:
        """One text per problem that keeps reading from continuing as usual: the reason and the remedy."""
        return [f"{each.reason}; {kind.value}" for kind, troubles in self._troubles.items() for each in troubles.values()]

    def note(self, kind: ReadingTrouble, text: str) -> None:
        """Log a reading problem, once until it is over."""
        self.note_all(kind, {"": text})

    def note_all(self, kind: ReadingTrouble, texts: Mapping[str, str] | Mapping[Path, str]) -> None:
        """Replace all problems of one kind, each under the file that it concerns."""
        known, now = self._troubles.setdefault(kind, {}), {str(key): text for key, text in texts.items()}
        for key in known.keys() - now.keys():
            known.pop(key).is_over(trouble=kind.name.lower())
        for key, text in now.items():
            if key not in known:
                known[key] = Trouble(log, "cannot continue reading as usual", "reading trouble is over")
            known[key].note(text, "warning", trouble=kind.name.lower(), remedy=kind.value)

    def is_over(self, *kinds: ReadingTrouble) -> None:
        """Clear all problems of these kinds."""
        for kind in kinds:
            self.note_all(kind, {})

    def go_on(self, end: Position) -> None:
        """Record that everything before `end` in the present file has been passed on."""
        self.registry.go_on(end)
        self.scanned = 0
        self.is_over(ReadingTrouble.UNREADABLE)

    async def aclose(self) -> None:
        """Close all files."""
        for file in self.held:
            await file.aclose()
