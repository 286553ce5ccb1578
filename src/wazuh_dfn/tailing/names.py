"""What alert files are called: Wazuh's dated files, and what logrotate and the site make of them.

`alerts.json` is a hard link to a dated file, `YYYY/Mon/ossec-alerts-DD[-NNN].json`, which is packed after the day (`.json.gz`).
logrotate leaves copies beside `alerts.json`: `alerts.json.1`, `alerts-20260102.json`, `alerts.json-20260102T000000.xz` and so on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wazuh_dfn.tailing.disk import Disk, Status

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PACKED = r"(?:\.(?:gz|xz|zst|zstd|bz2|lz4|lzma|lzo|lz|br|Z|7z|zip))"
_DATED = re.compile(rf"ossec-alerts-(?P<day>\d\d)(?:-(?P<number>\d+))?\.json{_PACKED}?")
_SUFFIX = re.compile(rf"{_PACKED}$")
RECENT_MONTHS = 3
"""The folders in which files are looked for again and again; the others are looked into at a start."""

type Slot = tuple[int, int, int, int]
"""Year, month, day, and number within the day: the order in which Wazuh begins its files, not that in which it writes to them."""

type Naming = Literal["dated", "copy", "lettered", "stranger"]
"""A dated file; a name that logrotate gives; one that is like it but holds other letters; any other file beside `alerts.json`."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A file as one look at the disk finds it. `is_current` tells that `alerts.json` names it."""

    path: Path
    status: Status
    naming: Naming = "copy"
    slot: Slot | None = None
    is_current: bool = False
    is_beside_plain: bool = False
    """Whether a file of the same name without the suffix of the packer is there too: this one may be an unfinished copy of it."""

    @property
    def has_packed_name(self) -> bool:
        """Whether the name says that it is packed."""
        return is_packed_name(self.path)


def is_packed_name(path: Path) -> bool:
    """Return whether the name ends like that of a packed file."""
    return _SUFFIX.search(path.name) is not None


def unpacked_name(path: Path) -> Path:
    """Return the name without the suffix of the packer."""
    return path.with_name(_SUFFIX.sub("", path.name))


def slot_of(path: Path) -> Slot | None:
    """Return the place of a dated file's name in the order of days and numbers; None for any other name."""
    name, month, year = _DATED.fullmatch(path.name), path.parent.name, path.parent.parent.name
    if name is None or month not in _MONTHS or not re.fullmatch(r"\d{4}", year):
        return None
    return (int(year), _MONTHS.index(month) + 1, int(name["day"]), int(name["number"] or 0))


def naming_of(path: Path, alerts: Path) -> Naming:
    """Return what kind of name a file in the folder of `alerts` has."""
    stem, suffix = map(re.escape, (alerts.stem, alerts.suffix))
    name = _SUFFIX.sub("", path.name)
    if re.fullmatch(rf"{stem}[-._:+T\d]*{suffix}[-._:+TZ\d]*", name):
        return "copy"
    return "lettered" if re.fullmatch(rf"{stem}[-.\w:+]*{suffix}[-.\w:+]*", name) else "stranger"


type Failed = dict[Path, str]
"""Folders and files that can't be looked at, and why."""


def dated_paths(disk: Disk, folder: Path, months: int | None = None, failed: Failed | None = None) -> Iterator[Path]:
    """Yield the dated files in the newest `months` month folders below `folder` (None: in all), the newest folder first.

    Raises:
        OSError: a folder can't be listed, and there is no `failed` to note it in.
    """
    years = sorted((name for name in names(disk, folder) if re.fullmatch(r"\d{4}", name)), reverse=True)
    found = 0
    for year in years:
        there = names(disk, folder / year, failed)
        for month in (month for month in reversed(_MONTHS) if month in there):
            if found == months:
                return
            found += 1
            yield from (folder / year / month / name for name in names(disk, folder / year / month, failed) if _DATED.fullmatch(name))


def sight(disk: Disk, alerts: Path, months: int | None = None, failed: Failed | None = None) -> list[Sighting]:
    """Return all files that may hold alerts: the dated ones, those beside `alerts`, and `alerts` itself where it has no dated name.

    Raises:
        OSError: the folder of `alerts` can't be listed, or its status not be read; or that of what may hold alerts, without a `failed`.
    """
    current = _status(disk, alerts)
    paths = [*dated_paths(disk, alerts.parent, months, failed), *_beside(disk, alerts)]
    there = set(paths)
    found = []
    for path in paths:
        slot = slot_of(path) if path.parent != alerts.parent else None
        naming = "dated" if slot is not None else naming_of(path, alerts)
        try:
            status = _status(disk, path)
        except OSError as error:
            _note(path, error, {} if naming == "stranger" else failed)
            continue
        if status is not None:
            is_current = current is not None and status.node == current.node
            found.append(Sighting(path, status, naming, slot, is_current, is_packed_name(path) and unpacked_name(path) in there))
    if current is not None and not any(sighting.is_current for sighting in found):
        found.append(Sighting(alerts, current, is_current=True))
    return found


def names(disk: Disk, folder: Path, failed: Failed | None = None) -> list[str]:
    """Return the names in a folder, none if it is not there, or if that it can't be listed was noted in `failed`."""
    try:
        return disk.names(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        _note(folder, error, failed)
        return []


def _note(path: Path, error: OSError, failed: Failed | None) -> None:
    if failed is None:
        raise error
    failed[path] = f"{path}: {error.strerror or error}"


def _beside(disk: Disk, alerts: Path) -> list[Path]:
    is_other = re.compile(r"\d{4}|\..*").fullmatch
    return [alerts.with_name(name) for name in sorted(names(disk, alerts.parent)) if name != alerts.name and not is_other(name)]


def _status(disk: Disk, path: Path) -> Status | None:
    try:
        return disk.status(path)
    except FileNotFoundError:
        return None
