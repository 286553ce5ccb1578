"""Names of alert files: the dated files of Wazuh, and the files that logrotate and administrators make of them.

`alerts.json` is a hard link to a dated file, `YYYY/Mon/ossec-alerts-DD[-NNN].json`, which is packed after the day (`.json.gz`).
logrotate leaves copies beside `alerts.json`: `alerts.json.1`, `alerts-20260102.json`, `alerts.json-20260102T000000.xz` and so on.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal

from wazuh_dfn.tailing.disk import Disk, Status

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PACKED = r"(?:\.(?:gz|xz|zst|zstd|bz2|lz4|lzma|lzo|lz|br|Z|7z|zip))"
_DATED = re.compile(rf"ossec-alerts-(?P<day>\d\d)(?:-(?P<number>\d+))?\.json{_PACKED}?")
_OTHER = re.compile(r"\d{4}|\..*")
"""Names beside `alerts.json` that are not alert files: the year folders, and hidden files."""
_SUFFIX = re.compile(rf"{_PACKED}$")
type Slot = tuple[int, int, int, int]
"""Year, month, day, and number within the day.

It is the order in which Wazuh begins its files, not the order in which it writes to them.
"""

type Month = tuple[int, int]
"""Year and month."""
FIRST_MONTH: Month = (0, 0)
FIRST_SLOT: Slot = (0, 0, 0, 0)
LAST_SLOT: Slot = (10_000, 0, 0, 0)

type Naming = Literal["dated", "copy", "lettered", "stranger"]
"""Kind of a file name.

- dated: a dated file of Wazuh.
- copy: a name that logrotate gives.
- lettered: a name like a copy, but with other letters in it.
- stranger: any other file beside `alerts.json`.
"""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A file as seen by one look at the disk.

    `is_current` is true if `alerts.json` names it.
    """

    path: Path
    status: Status
    naming: Naming = "copy"
    slot: Slot | None = None
    is_current: bool = False
    is_beside_plain: bool = False
    """Whether a file of the same name without the packer's suffix exists too. This file may then be an unfinished packed copy of it."""

    @property
    def has_packed_name(self) -> bool:
        """Whether the file has the suffix of a packer."""
        return is_packed_name(self.path)


def is_packed_name(path: Path) -> bool:
    """Return whether the name has the suffix of a packer."""
    return _SUFFIX.search(path.name) is not None


def unpacked_name(path: Path) -> Path:
    """Return the path without the suffix of the packer."""
    return path.with_name(_SUFFIX.sub("", path.name))


def slot_of(path: Path) -> Slot | None:
    """Return the slot of a dated file, or None for any other name."""
    name, month, year = _DATED.fullmatch(path.name), path.parent.name, path.parent.parent.name
    if name is None or month not in _MONTHS or not re.fullmatch(r"\d{4}", year):
        return None
    return (int(year), _MONTHS.index(month) + 1, int(name["day"]), int(name["number"] or 0))


def naming_of(path: Path, alerts: Path) -> Naming:
    """Return the kind of name of a file in the folder of `alerts`."""
    copy, lettered = _patterns(alerts.stem, alerts.suffix)
    name = _SUFFIX.sub("", path.name)
    return "copy" if copy.fullmatch(name) else "lettered" if lettered.fullmatch(name) else "stranger"


@cache
def _patterns(stem: str, suffix: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    stem, suffix = re.escape(stem), re.escape(suffix)
    return re.compile(rf"{stem}[-._:+T\d]*{suffix}[-._:+TZ\d]*"), re.compile(rf"{stem}[-.\w:+]*{suffix}[-.\w:+]*")


@dataclass(slots=True)
class Listing:
    """The files around `alerts.json`.

    `failed` holds the folders and files that cannot be read, with the reason.
    """

    sightings: list[Sighting] = field(default_factory=list)
    failed: dict[Path, str] = field(default_factory=dict)

    @property
    def current(self) -> Sighting | None:
        """The file that `alerts.json` names."""
        return next((sighting for sighting in self.sightings if sighting.is_current), None)


def dated_paths(disk: Disk, folder: Path, failed: dict[Path, str], since: Month = FIRST_MONTH) -> Iterator[Path]:
    """Yield the dated files in the month folders below `folder`, from month `since` on.

    Folders that cannot be listed are added to `failed`.
    """
    for year in (name for name in disk.names(folder) if re.fullmatch(r"\d{4}", name)):
        there = _names(disk, folder / year, failed) if int(year) >= since[0] else []
        for number, month in enumerate(_MONTHS, start=1):
            if month in there and (int(year), number) >= since:
                yield from (folder / year / month / name for name in _names(disk, folder / year / month, failed) if _DATED.fullmatch(name))


def month_before(slot: Slot) -> Month:
    """Return the month before that of a dated file."""
    year, month, *_ = slot
    return (year, month - 1) if month > 1 else (year - 1, 12)


def list_files(disk: Disk, alerts: Path, since: Month = FIRST_MONTH) -> Listing:
    """Return all files that may hold alerts.

    These are the dated files from month `since` on, the files beside `alerts`, and `alerts` itself if it has no dated name.

    Raises:
        OSError: the folder of `alerts` cannot be listed, or `alerts` cannot be reached.
    """
    listing = Listing()
    paths = [*dated_paths(disk, alerts.parent, listing.failed, since), *_beside(disk, alerts)]
    there = set(paths)
    for path in paths:
        slot = slot_of(path) if path.parent != alerts.parent else None
        naming = "dated" if slot is not None else naming_of(path, alerts)
        try:
            status = disk.status(path)
        except OSError as error:
            if naming in {"dated", "copy"} and error.errno not in {errno.ENOENT, errno.ELOOP}:
                listing.failed[path] = f"{path}: {error.strerror or error}"
            continue
        listing.sightings.append(
            Sighting(path, status, naming, slot, is_beside_plain=is_packed_name(path) and unpacked_name(path) in there)
        )
    with suppress(FileNotFoundError):
        current = disk.status(alerts)  # last, so that all other sightings are complete
        listing.sightings = [replace(each, is_current=each.status.node == current.node) for each in listing.sightings]
        if listing.current is None:
            listing.sightings.append(Sighting(alerts, current, is_current=True))
    return listing


def _names(disk: Disk, folder: Path, failed: dict[Path, str]) -> list[str]:
    try:
        return disk.names(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        failed[folder] = f"{folder}: {error.strerror or error}"
        return []


def _beside(disk: Disk, alerts: Path) -> list[Path]:
    return [alerts.with_name(name) for name in sorted(disk.names(alerts.parent)) if name != alerts.name and not _OTHER.fullmatch(name)]
