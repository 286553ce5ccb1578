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

log = structlog.get_logger(__name__)


class Trouble(Enum):
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
    _troubles: dict[Trouble, dict[str, str]] = field(default_factory=dict)

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
        return [f"{text}; {trouble.value}" for trouble, texts in self._troubles.items() for text in texts.values()]

    def note(self, trouble: Trouble, text: str) -> None:
        """Log trouble with reading, once until it is over."""
        self.note_all(trouble, {"": text})

    def note_all(self, trouble: Trouble, texts: Mapping[str, str] | Mapping[Path, str]) -> None:
        """Set all that there is of one kind of trouble, by file; what is new of it is logged, and so is its end."""
        former, now = self._troubles.get(trouble, {}), {str(key): text for key, text in texts.items()}
        for key in now.keys() - former.keys():
            log.warning("cannot continue reading as usual", trouble=trouble.name.lower(), reason=now[key], remedy=trouble.value)
        for key in former.keys() - now.keys():
            log.info("reading trouble is over", trouble=trouble.name.lower(), reason=former[key])
        if now:
            self._troubles[trouble] = now
        else:
            self._troubles.pop(trouble, None)

    def is_over(self, *troubles: Trouble) -> None:
        """These kinds of trouble are over."""
        for trouble in troubles:
            if trouble in self._troubles:
                self.note_all(trouble, {})

    def go_on(self, end: Position) -> None:
        """All before `end` in the present file has been handed on."""
        self.registry.go_on(end)
        self.scanned = 0
        self.is_over(Trouble.UNREADABLE)

    async def aclose(self) -> None:
        """Close all files."""
        for file in self.held:
            await file.aclose()
