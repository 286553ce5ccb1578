"""The names of Wazuh's dated alert files: `YYYY/Mon/ossec-alerts-DD[-NNN].json`, gzipped by monitord to `.json.gz` after the day.

`alerts.json` is a hard link to the newest of them. Their names give the order in which they were written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wazuh_dfn.adapters.disk import Disk

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NAME = re.compile(r"ossec-alerts-(?P<day>\d\d)(?:-(?P<number>\d+))?\.json(?P<gz>\.gz)?")


type Slot = tuple[int, int, int, int]
"""Year, month, day, and number within the day."""


@dataclass(frozen=True, slots=True, order=True)
class DatedFile:
    """One dated file; ordered as Wazuh wrote them, with a plain file before the gzipped one of the same name."""

    year: int
    month: int
    day: int
    number: int
    is_gzipped: bool
    path: Path

    @property
    def slot(self) -> Slot:
        """What a plain file and the gzipped one made of it have in common."""
        return (self.year, self.month, self.day, self.number)


def newest_first(disk: Disk, folder: Path) -> Iterator[DatedFile]:
    """Yield the dated files below `folder`; of a name that is there plain and gzipped, the plain one (the other may be unfinished)."""
    for year in sorted((name for name in names(disk, folder) if re.fullmatch(r"\d{4}", name)), reverse=True):
        months = [month for month in names(disk, folder / year) if month in _MONTHS]
        for month in sorted(months, key=_MONTHS.index, reverse=True):
            files = sorted(_in_month(disk, folder / year / month, int(year), _MONTHS.index(month) + 1))
            plain = {file.slot for file in files if not file.is_gzipped}
            yield from (file for file in reversed(files) if not (file.is_gzipped and file.slot in plain))


def begun(path: Path) -> float:
    """Return when a dated file was begun at the earliest: at midnight, in seconds since the epoch; 0 if its name has no date."""
    slot = slot_of(path)
    return datetime(*slot[:3]).astimezone().timestamp() if slot is not None else 0.0


def slot_of(path: Path) -> Slot | None:
    """Return the place of a dated file's name in the order of writing; None for any other name."""
    name, month, year = _NAME.fullmatch(path.name), path.parent.name, path.parent.parent.name
    if name is None or month not in _MONTHS or not re.fullmatch(r"\d{4}", year):
        return None
    return (int(year), _MONTHS.index(month) + 1, int(name["day"]), int(name["number"] or 0))


def dated_name(disk: Disk, alerts: Path, node: tuple[int, int]) -> Path | None:
    """Return the dated name of the file with that `FileIdentity.node`, which `alerts` is a hard link to; None at a site that has none."""
    for file in newest_first(disk, alerts.parent):
        try:
            status = disk.status(file.path)
        except FileNotFoundError:
            continue
        if status.node == node:
            return file.path
    return None


def names(disk: Disk, folder: Path) -> list[str]:
    """Return the names in a folder, none if it is not there."""
    try:
        return disk.names(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _in_month(disk: Disk, folder: Path, year: int, month: int) -> Iterator[DatedFile]:
    for name in names(disk, folder):
        if match := _NAME.fullmatch(name):
            yield DatedFile(year, month, int(match["day"]), int(match["number"] or 0), match["gz"] is not None, folder / name)
