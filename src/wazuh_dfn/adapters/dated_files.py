"""Wazuh's dated alert files: `YYYY/Mon/ossec-alerts-DD[-NNN].json`, gzipped by monitord to `.json.gz` some time after the day.

`alerts.json` is a hard link to the newest of them. Their names give the order; which of them a position belongs to is told by identity:
device, inode and first bytes for a plain file, first bytes alone for a gzipped one, as that is another file with the same content.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from wazuh_dfn.messages import FileIdentity

FINGERPRINT_BYTES = 1024
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NAME = re.compile(r"ossec-alerts-(?P<day>\d\d)(?:-(?P<number>\d+))?\.json(?P<gz>\.gz)?")


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
    def slot(self) -> tuple[int, int, int, int]:
        """What a plain file and the gzipped one made of it have in common."""
        return (self.year, self.month, self.day, self.number)

    def modified(self) -> float:
        """Return when it was last written, in seconds since the epoch; gzipping counts, so it can be late but not early."""
        return self.path.stat().st_mtime


def newest_first(folder: Path) -> Iterator[DatedFile]:
    """Yield the dated files below `folder`; of a name that is there plain and gzipped, the plain one (the other may be unfinished)."""
    for year in sorted((name for name in _names(folder) if re.fullmatch(r"\d{4}", name)), reverse=True):
        months = [month for month in _names(folder / year) if month in _MONTHS]
        for month in sorted(months, key=_MONTHS.index, reverse=True):
            files = sorted(_in_month(folder / year / month, int(year), _MONTHS.index(month) + 1))
            plain = {file.slot for file in files if not file.is_gzipped}
            yield from (file for file in reversed(files) if not (file.is_gzipped and file.slot in plain))


def successors(folder: Path, identity: FileIdentity, since: float) -> list[DatedFile]:
    """Return the files that Wazuh wrote after the one of `identity`, oldest first.

    If that one is not to be found, all files that were written to after `since` (seconds since the epoch): some may be repeated then,
    none is lost.
    """
    later: list[DatedFile] = []
    for file in newest_first(folder):
        if is_same(file, identity):
            return later[::-1]
        later.append(file)
    return [file for file in later[::-1] if file.modified() > since]


def find(folder: Path, identity: FileIdentity) -> DatedFile | None:
    """Return the file of that identity, None if it is not (or no longer) there."""
    return next((file for file in newest_first(folder) if is_same(file, identity)), None)


def is_same(file: DatedFile, identity: FileIdentity) -> bool:
    """Tell whether this is the file of the identity, or has been made of it by gzipping."""
    if file.is_gzipped:
        return identity.fingerprint_length > 0 and fingerprint(file.path, identity.fingerprint_length) == identity.fingerprint
    try:
        status = file.path.stat()
    except FileNotFoundError:
        return False
    if (status.st_dev, status.st_ino) != (identity.device, identity.inode):
        return False
    return fingerprint(file.path, identity.fingerprint_length) == identity.fingerprint


def fingerprint(path: Path, length: int) -> str | None:
    """Return the hash of the first `length` bytes of the content; None if it can't be read."""
    try:
        with open_content(path) as file:
            return hashlib.sha256(file.read(length)).hexdigest()
    except (OSError, EOFError, zlib.error):
        return None


def open_content(path: Path) -> gzip.GzipFile | FileIO:
    """Open a plain or a gzipped file for reading what Wazuh wrote.

    Raises:
        OSError: it can't be opened.
    """
    # without a buffer of its own: reads are large, and a reader must see what was appended just now
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb", buffering=0)


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _in_month(folder: Path, year: int, month: int) -> Iterator[DatedFile]:
    for name in _names(folder):
        if match := _NAME.fullmatch(name):
            yield DatedFile(year, month, int(match["day"]), int(match["number"] or 0), match["gz"] is not None, folder / name)
