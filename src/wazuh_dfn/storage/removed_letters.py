"""How many dead letters were removed to make room, for good: kept in their folder, until somebody has looked at it. All of it blocks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from wazuh_dfn.tailing.disk import Disk, write_durably

_STATE = ".removed"
_MARKER = ".looked-at-"
"""Followed by how many had been removed when somebody looked: an empty file, so that it does not matter who may read it."""


@dataclass(frozen=True, slots=True)
class Removed:
    """Counts by stage, since the folder was made.

    `before` are those that somebody had looked at when the latest were removed; `since` is when the first of the others was, as ISO 8601.
    """

    removed: Mapping[str, int] = field(default_factory=dict)
    before: Mapping[str, int] = field(default_factory=dict)
    since: str = ""

    @property
    def news(self) -> dict[str, int]:
        """Those that nobody had looked at when the latest were removed."""
        return dict(Counter(self.removed) - Counter(self.before))

    def and_more(self, more: Mapping[str, int], now: str, *, is_looked_at: bool) -> Removed:
        """Count more; `is_looked_at` tells whether somebody has looked at those so far."""
        removed = dict(Counter(self.removed) + Counter(more))
        if is_looked_at:
            return Removed(removed, self.removed, now)
        return Removed(removed, self.before, self.since)


def load_removed(disk: Disk, folder: Path) -> Removed:
    """Read the counts; they are zero if there are none, or none that can be understood."""
    try:
        return Removed(**json.loads(disk.read(folder / _STATE)))
    except (FileNotFoundError, ValueError, TypeError):
        return Removed()


def save_removed(disk: Disk, folder: Path, removed: Removed) -> None:
    """Write the counts; they last once the folder is synced."""
    write_durably(disk, folder / _STATE, json.dumps(asdict(removed)).encode())


def is_looked_at(disk: Disk, folder: Path, removed: Removed) -> bool:
    """Tell whether somebody has looked since the latest were removed."""
    if not removed.news:
        return True
    try:
        disk.status(_marker(folder, removed))
    except FileNotFoundError:
        return False
    return True


def mark_looked_at(disk: Disk, folder: Path, removed: Removed) -> None:
    """Take note that somebody has looked at these; a running daemon notices it."""
    marker = _marker(folder, removed)
    disk.write(marker, b"")
    for name in disk.names(folder):
        if name.startswith(_MARKER) and name != marker.name:
            disk.remove(folder / name)
    disk.sync_folder(folder)


def _marker(folder: Path, removed: Removed) -> Path:
    return folder / f"{_MARKER}{sum(removed.removed.values())}"
