"""Counts of the dead letters removed to make room, kept in their folder until the operator has looked at them.

All functions block.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from wazuh_dfn.tailing.disk import Disk, write_durably

_STATE = ".removed"
_MARKER = ".looked-at-"
"""Prefix of a marker file, followed by the number of removed letters that the operator has looked at.

The file is empty, so it does not matter who may read it.
"""


@dataclass(frozen=True, slots=True)
class Removed:
    """Counts of removed letters by stage, since the folder was created.

    `before` are the letters that the operator had looked at when the latest ones were removed. `since` is the time at which the first of
    the others was removed, in ISO 8601.
    """

    removed: Mapping[str, int] = field(default_factory=dict)
    before: Mapping[str, int] = field(default_factory=dict)
    since: str = ""

    @property
    def news(self) -> dict[str, int]:
        """Counts of the letters that nobody had looked at when the latest ones were removed."""
        return dict(Counter(self.removed) - Counter(self.before))

    def and_more(self, more: Mapping[str, int], now: str, *, is_looked_at: bool) -> Removed:
        """Return the counts with more removed letters.

        Args:
            more: their number by stage.
            now: the present time, in ISO 8601.
            is_looked_at: whether the operator has looked at all letters removed before.
        """
        removed = dict(Counter(self.removed) + Counter(more))
        if is_looked_at:
            return Removed(removed, self.removed, now)
        return Removed(removed, self.before, self.since)


def load_removed(disk: Disk, folder: Path) -> Removed:
    """Read the counts.

    They are zero if the file is missing or unreadable.
    """
    try:
        return Removed(**json.loads(disk.read(folder / _STATE)))
    except (FileNotFoundError, ValueError, TypeError):
        return Removed()


def save_removed(disk: Disk, folder: Path, removed: Removed) -> None:
    """Write the counts.

    They are durable once the folder is synced.
    """
    write_durably(disk, folder / _STATE, json.dumps(asdict(removed)).encode())


def is_looked_at(disk: Disk, folder: Path, removed: Removed) -> bool:
    """Return whether the operator has looked since the latest letters were removed."""
    if not removed.news:
        return True
    try:
        disk.status(_marker(folder, removed))
    except FileNotFoundError:
        return False
    return True


def mark_looked_at(disk: Disk, folder: Path, removed: Removed) -> None:
    """Record that the operator has looked at these counts.

    A running daemon notices it.
    """
    marker = _marker(folder, removed)
    disk.write(marker, b"")
    for name in disk.names(folder):
        if name.startswith(_MARKER) and name != marker.name:
            disk.remove(folder / name)
    disk.sync_folder(folder)


def _marker(folder: Path, removed: Removed) -> Path:
    return folder / f"{_MARKER}{sum(removed.removed.values())}"
