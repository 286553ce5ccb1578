"""The files that were there before the daemon: their ends are where reading in them would begin. Blocks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from wazuh_dfn.errors import CannotUnpackError, FileTruncatedError
from wazuh_dfn.messages import FINGERPRINT_BYTES, NO_BYTES, Fingerprint
from wazuh_dfn.tailing.contents import Content, open_content
from wazuh_dfn.tailing.disk import Disk
from wazuh_dfn.tailing.names import FIRST_SLOT, Sighting, list_files
from wazuh_dfn.tailing.registry import KEPT_FILES, Mark, Registry, order_of

SEARCH_BYTES = 64 * 1024

type IsOld = Callable[[Sighting], bool]


@dataclass(frozen=True, slots=True)
class OldFile:
    """A file that was there before the first start, and all of it up to `mark` counts as settled; without a mark, all of it."""

    sighting: Sighting
    head: Fingerprint
    mark: Mark | None


def old_files(disk: Disk, alerts: Path, is_old: IsOld, registry: Registry) -> list[OldFile]:
    """Return those files that are old and not in the registry, with their ends, the newest first; blocks.

    Raises:
        OSError: a folder or the current file can't be read.
    """
    sightings = [each for each in _with_current(list_files(disk, disk.resolve(alerts)).sightings) if each.naming != "stranger"]
    key = order_of(sightings)
    known = next((key(each) for each in sightings if each.slot is None and _is_known(disk, each, registry)), None)
    old = [each for each in sightings if is_old(each) and (known is None or each.slot is not None or key(each) < known)]
    newest_first = sorted(old, key=key, reverse=True)
    found = [_old_file(disk, sighting, registry) for sighting in newest_first[:KEPT_FILES]]
    return [file for file in found if file is not None] + [OldFile(sighting, NO_BYTES, None) for sighting in newest_first[KEPT_FILES:]]


def _is_known(disk: Disk, sighting: Sighting, registry: Registry) -> bool:
    """Whether it is where reading stopped: of the files without a date, what was written to later was not read yet."""
    if not registry.files:
        return False
    try:
        with closing(open_content(disk, sighting.path)) as content:
            found = registry.identify(content, str(sighting.path))
            return found is not None and not found.is_shorter
    except (OSError, CannotUnpackError):
        return False


def _with_current(sightings: list[Sighting]) -> list[Sighting]:
    """Take the newest dated file for the current one while `alerts.json` names nothing: it is about to be linked to that."""
    plain = [each for each in sightings if each.slot is not None and not each.has_packed_name]
    if not plain or any(each.is_current for each in sightings):
        return sightings
    newest = max(plain, key=lambda each: each.slot or FIRST_SLOT)
    return [replace(each, is_current=each is newest) for each in sightings]


def _old_file(disk: Disk, sighting: Sighting, registry: Registry) -> OldFile | None:
    try:
        with closing(open_content(disk, sighting.path)) as content:
            if registry.identify(content, str(sighting.path)) is not None:
                return None
            mark = None
            if not content.is_packed:
                mark = Mark.at_end(content, end_of_last_line(content) if sighting.is_current else content.size())
            head = content.read(0, FINGERPRINT_BYTES if mark is None else min(FINGERPRINT_BYTES, mark.offset))
            return OldFile(sighting, Fingerprint.of(head), mark)
    except (FileNotFoundError, FileTruncatedError):
        return None
    except (OSError, CannotUnpackError):
        if sighting.is_current:
            raise
        return OldFile(sighting, NO_BYTES, None)


def end_of_last_line(content: Content) -> int:
    """Return the offset behind the last line feed, searching backwards; 0 if there is none."""
    end = content.size()
    while end > 0:
        start = max(0, end - SEARCH_BYTES)
        found = content.read(start, end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
