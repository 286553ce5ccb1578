"""Finding alert files that `alerts.json` does not name any more: which one a position belongs to, and which were written after one.

Dated files are found by identity: device, inode and content for a plain file, content alone for a gzipped one. So are the siblings that
logrotate leaves (`alerts.json.1`, `alerts.json-20260102.gz`): renamed files, or copies made before the file was truncated.
All functions block. They raise OSError for what may pass (no file descriptor, no permission): a file that can't be read is not a missing one.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path

from wazuh_dfn.adapters.alert_content import Content, holds_content, open_content
from wazuh_dfn.adapters.dated_files import names, newest_first, slot_of
from wazuh_dfn.adapters.disk import Disk
from wazuh_dfn.messages import FINGERPRINT_BYTES, FileIdentity, Fingerprint, Position

_ROTATED = r"[.-]\d[\d-]*(\.gz)?"
"""What logrotate adds to a name: a number, or a date."""
_NOT_FOR_US = {errno.EACCES, errno.EPERM, errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENXIO}
_TRIES = 5


def _steadily[**P, T](search: Callable[P, T]) -> Callable[P, T]:
    """Search again if a file was renamed or gzipped meanwhile: it must neither be overlooked nor be taken for another."""

    @wraps(search)
    def search_again(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(_TRIES - 1):
            try:
                return search(*args, **kwargs)
            except FileNotFoundError:
                continue
        return search(*args, **kwargs)

    return search_again


@_steadily
def find(disk: Disk, alerts: Path, position: Position) -> Path | None:
    """Return the path of the file of that position, None if it is not (or no longer) there.

    Of several gzipped files with the same content so far (they can share their first lines) it is the oldest: reading on there may
    repeat, but leaves nothing out. Of several copies it is the longest.
    """
    gzipped: Path | None = None
    for dated in newest_first(disk, alerts.parent):
        if not position.is_telling and dated.slot != slot_of(Path(position.path)):
            continue
        if _ask(disk, dated.path, lambda content: content.holds(position)):
            if not dated.is_gzipped:
                return dated.path
            gzipped = dated.path
    copies = [path for path in _siblings(disk, alerts) if _ask(disk, path, lambda content: _is_copy(content, position))]
    return gzipped or max(copies, key=lambda path: _ask(disk, path, lambda content: content.size()), default=None)


@_steadily
def successors(disk: Disk, alerts: Path, identities: Sequence[FileIdentity], since: float, path: Path) -> list[Path]:
    """Return the dated files that Wazuh wrote after the first of `identities` that is to be found, oldest first.

    If none is, the one with the dated name `path`, which was truncated then, and those after it; if it is no dated name, all that were
    written to since `since` (seconds since the epoch). Some may be repeated then, none is left out.
    """
    for identity in identities:
        later = _later_than(disk, alerts, identity)
        if later is not None:
            return later
    files = reversed(list(newest_first(disk, alerts.parent)))
    slot = slot_of(path)
    if slot is not None:
        return [file.path for file in files if file.slot >= slot]
    return [file.path for file in files if _modified(disk, file.path) >= since]


def _later_than(disk: Disk, alerts: Path, identity: FileIdentity) -> list[Path] | None:
    """Return the dated files after that one, or else after the oldest gzipped one that begins like it; None if there is none."""
    later: list[Path] = []
    later_than_alike: list[Path] | None = None
    for file in newest_first(disk, alerts.parent):
        if _ask(disk, file.path, lambda content: _is_same(content, identity)):
            return later[::-1]
        if file.is_gzipped and identity.head.length and _ask(disk, file.path, lambda content: _fits(content, identity.head)):
            later_than_alike = later[::-1]
        later.append(file.path)
    return later_than_alike


@_steadily
def unread_copy(disk: Disk, alerts: Path, since: float, until: float) -> tuple[Path, float] | None:
    """Return the oldest copy made in that time whose content does not stand in the file that it was copied from any more, and its time."""
    found = sorted((_modified(disk, path), path) for path in _siblings(disk, alerts))
    for modified, path in found:
        if not since < modified <= until:
            continue
        whole = _ask(disk, path, _whole)
        originals = [
            *([alerts] if alerts.name in names(disk, alerts.parent) else []),
            *(dated.path for dated in newest_first(disk, alerts.parent)),
        ]
        if whole is not None and not any(_holds_whole(disk, original, whole) for original in originals):
            return path, modified
    return None


def _whole(content: Content) -> Position | None:
    """Return the position behind the last byte; None for an empty file."""
    identity, size = content.identity(), content.size()
    tail = content.read(max(0, size - FINGERPRINT_BYTES), min(size, FINGERPRINT_BYTES))
    return Position("", identity, size, Fingerprint.of(tail)) if size else None


def _holds_whole(disk: Disk, path: Path, whole: Position) -> bool:
    return _ask(disk, path, lambda content: holds_content(content, whole))


def _is_same(content: Content, identity: FileIdentity) -> bool:
    status = content.status()
    return status.node == identity.node and _fits(content, identity.head)


def _is_copy(content: Content, position: Position) -> bool:
    return position.is_telling and holds_content(content, position)


def _fits(content: Content, head: Fingerprint) -> bool:
    return head.fits(content.read(0, head.length))


def _siblings(disk: Disk, alerts: Path) -> list[Path]:
    pattern = re.compile(re.escape(alerts.name) + _ROTATED)
    there = names(disk, alerts.parent)
    # A gzipped copy beside its plain one is being made, or a crash of the machine left it: the plain one has all, and its true time.
    named = [name for name in sorted(there) if pattern.fullmatch(name) and not (name.endswith(".gz") and name.removesuffix(".gz") in there)]
    return [path for path in map(alerts.with_name, named) if _is_for_us(disk, path)]


def _is_for_us(disk: Disk, path: Path) -> bool:
    """Tell whether it is a file that we may read: anything can lie beside alerts.json, and must not stop us."""
    try:
        disk.open(path).close()
    except OSError as error:
        if error.errno not in _NOT_FOR_US:
            raise  # it may pass (no file descriptor, an I/O error), or be there under its next number
        return False
    return True


def _modified(disk: Disk, path: Path) -> float:
    return disk.status(path).modified


def _ask[T](disk: Disk, path: Path, question: Callable[[Content], T]) -> T:
    content = open_content(disk, path)
    try:
        return question(content)
    finally:
        content.close()
