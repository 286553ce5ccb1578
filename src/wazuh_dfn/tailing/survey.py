"""A survey of the disk: which files hold unread bytes, and in which order to read them.

The survey blocks.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from wazuh_dfn.errors import CannotUnpackError, FileTruncatedError
from wazuh_dfn.messages import FINGERPRINT_BYTES, Fingerprint
from wazuh_dfn.tailing.contents import Content, open_content
from wazuh_dfn.tailing.disk import Disk
from wazuh_dfn.tailing.names import FIRST_MONTH, Month, Sighting, list_files, naming_of, slot_of, unpacked_name
from wazuh_dfn.tailing.registry import TELLING_BYTES, Appearance, KnownFile, Mark, Match, Registry, appearance_of, holds, order_of

NO_REGULAR_FILE = frozenset({errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENXIO})


class HeldFile(Protocol):
    """A file that is already open.

    If it has lost its name, it is found nowhere else. `number` is its key in the registry.
    """

    path: str
    number: int | None
    content: Content


@dataclass(frozen=True, slots=True)
class Unread:
    """A file with unread bytes.

    `number` is its key in the registry if it holds everything that was read of the known file. `held` is the open file, if it is open.
    """

    sighting: Sighting
    number: int | None = None
    size: int = 0
    """Size of a plain file in bytes, 0 for a packed one."""
    is_packed: bool = False
    is_shorter: bool = False
    """Whether it is a known file that came back shorter."""
    is_short: bool = False
    """Whether it may be a part of a file that is read before it. Only another survey can decide that then."""
    held: HeldFile | None = None


@dataclass(slots=True)
class Survey:
    """The result of a survey.

    `read` are files with nothing unread. `copies` are copies of the first parts of known files, each with the fingerprint of its first
    bytes and the mark at its end.
    """

    sightings: list[Sighting]
    current: Sighting | None
    unread: list[Unread] = field(default_factory=list)
    """Files in reading order. Of several files with the same content, a plain one and then the longest is kept."""
    read: list[tuple[KnownFile, Sighting]] = field(default_factory=list)
    copies: list[tuple[KnownFile, Sighting, Fingerprint, Mark]] = field(default_factory=list)
    failed: dict[Path, str] = field(default_factory=dict)
    """Files and folders that may hold unread bytes but cannot be examined, with the reason."""
    has_changed: bool = False
    """Whether a file had disappeared or changed when it was examined, so that the result may be wrong."""
    broken: list[tuple[HeldFile, OSError]] = field(default_factory=list)
    """Open files that return errors."""
    passed_over: list[Appearance] = field(default_factory=list)
    """Appearances of files that were known once and forgotten."""
    cannot_unpack: dict[Path, str] = field(default_factory=dict)
    damaged: dict[Path, str] = field(default_factory=dict)


def survey(disk: Disk, alerts: Path, registry: Registry, held: Sequence[HeldFile] = (), since: Month = FIRST_MONTH) -> Survey:
    """Examine all files from a month on.

    Contents are opened only where something changed.

    Args:
        disk: the disk that holds the files.
        alerts: the path of `alerts.json`.
        registry: the known files.
        held: the open files.
        since: the first month whose files are examined.

    Raises:
        OSError: the folder of `alerts` or its status cannot be read.
    """
    alerts = disk.resolve(alerts)
    listing = list_files(disk, alerts, since)
    found = Survey(listing.sightings, listing.current, failed=listing.failed)
    return _Surveyor(disk, alerts, registry, found).look(held)


def match(registry: Registry, content: Content, path: str, number: int | None) -> Match | None:
    """Return the known file that a content belongs to, or None if it is new.

    It is the file with that number if the content holds everything that was read of it. Otherwise the content decides.
    """
    known = registry.files.get(number) if number is not None else None
    if known is not None and is_same(content, known.head, known.read_to):
        return Match(known, known.read_to)
    return registry.identify(content, path)


def is_same(content: Content, head: Fingerprint, mark: Mark) -> bool:
    """Return whether the content of a known file is unchanged up to the mark."""
    if not holds(content, mark):
        return False
    is_telling = mark.tail.length >= TELLING_BYTES or not mark.tail.length
    return is_telling or head.fits(content.read(0, head.length))


def has_more(content: Content, offset: int) -> bool:
    """Return whether there are bytes after the offset."""
    return bool(content.read(offset, 1)) if content.is_packed else content.size() > offset


@dataclass(slots=True)
class _Part:
    """A file with fewer bytes than were read of a known one, or too few to identify it.

    It may be a copy of the first part of another file.
    """

    unread: Unread
    found: Match | None
    head: Fingerprint
    end: Mark


class _Surveyor:
    def __init__(self, disk: Disk, alerts: Path, registry: Registry, found: Survey) -> None:
        self._disk = disk
        self._alerts = alerts
        self._registry = registry
        self._found = found
        self._whole: dict[int, HeldFile | Path] = {}
        """The file that holds everything that was read of a known file, by number."""
        self._parts: list[_Part] = []

    def look(self, held: Sequence[HeldFile]) -> Survey:
        nodes, read = set(), self._registry.appearances()
        for file in held:
            try:
                sighting = self._of_held(file)
                self._judge(sighting, file, file.content)
                nodes.add(sighting.status.node)
            except OSError as error:
                self._found.failed[Path(file.path)] = f"{file.path} (open): {error.strerror or error}"
                self._found.broken.append((file, error))
        for sighting in self._found.sightings:
            look = appearance_of(sighting)
            if look in self._registry.passed_over and not sighting.is_current:
                self._found.passed_over.append(look)
            elif sighting.status.node not in nodes and (sighting.is_current or look not in read):
                self._open_and_judge(sighting)
        for part in self._parts:
            self._judge_part(part)
        self._found.unread = _in_order(self._found.unread, self._found.sightings)
        return self._found

    def _of_held(self, file: HeldFile) -> Sighting:
        path, status, current = Path(file.path), file.content.status(), self._found.current
        is_current = current is not None and current.status.node == status.node
        slot = slot_of(path)
        return Sighting(path, status, "dated" if slot is not None else naming_of(path, self._alerts), slot, is_current)

    def _open_and_judge(self, sighting: Sighting) -> None:
        try:
            with closing(open_content(self._disk, sighting.path)) as content:
                self._judge(sighting, None, content)
                if content.damage is not None and sighting.naming != "stranger":
                    self._found.damaged[sighting.path] = damage_of(sighting.path, content)
        except (FileNotFoundError, FileTruncatedError):
            self._found.has_changed = True  # renamed or packed just now, so the next survey finds it
        except CannotUnpackError as error:
            if sighting.naming != "stranger" and not self._was_read_before_packing(sighting):
                self._found.cannot_unpack[sighting.path] = str(error)
        except OSError as error:
            if sighting.is_current or (sighting.naming in {"dated", "copy"} and error.errno not in NO_REGULAR_FILE):
                self._found.failed[sighting.path] = f"{sighting.path}: {error.strerror or error}"

    def _was_read_before_packing(self, sighting: Sighting) -> bool:
        plain = str(unpacked_name(sighting.path))
        latest = sighting.status.modified + 2  # packers keep the time of the original, some of them to the second
        all_known = list(self._registry.files.values())
        return any(known.path == plain and known.read is not None and known.read.modified <= latest for known in all_known)

    def _judge(self, sighting: Sighting, held: HeldFile | None, content: Content) -> None:
        found = match(self._registry, content, str(sighting.path), held.number if held is not None else None)
        is_written_to = sighting.is_current or held is not None
        if found is not None and found.known.is_whole and is_written_to and not content.is_packed:
            found = None  # the file that was packed then may be only its first part
        unread = Unread(sighting, None, 0 if content.is_packed else content.size(), content.is_packed, held=held)
        if found is None:
            if self._may_be_new(sighting, content, is_written_to=is_written_to) and has_more(content, 0):
                if is_written_to or has_more(content, FINGERPRINT_BYTES):
                    self._found.unread.append(unread)
                else:
                    self._add_part(unread, None, content)
        elif found.is_shorter:
            if is_written_to or sighting.naming != "stranger":
                self._add_part(unread, found, content)
        else:
            self._whole.setdefault(found.known.number, held or sighting.path)
            if found.known.is_whole or not has_more(content, found.mark.offset):
                self._found.read.append((found.known, sighting))
            elif content.is_packed and (whole := self._registry.files.get(found.known.copy_of)) is not None:
                self._add_part(unread, Match(whole, found.mark), content)  # it was not packed to its end when it was examined
            else:
                self._found.unread.append(replace(unread, number=found.known.number))

    def _may_be_new(self, sighting: Sighting, content: Content, *, is_written_to: bool) -> bool:
        if is_written_to:
            return True
        if self._registry.is_forgotten(sighting):
            self._found.passed_over.append(appearance_of(sighting))
            return False
        first = content.read(0, FINGERPRINT_BYTES)
        if sighting.naming == "stranger" or (sighting.naming == "lettered" and not first.lstrip(b"\0").startswith(b"{")):
            return False
        return not (sighting.is_beside_plain and self._is_part_of_plain(sighting, content, first))

    def _is_part_of_plain(self, sighting: Sighting, content: Content, first: bytes) -> bool:
        """Return whether the file is being packed right now, or a crash of the machine left both files."""
        with closing(open_content(self._disk, unpacked_name(sighting.path))) as plain:
            return plain.read(0, len(first)) == first and holds(plain, Mark.at_end(content, content.size()))

    def _add_part(self, unread: Unread, found: Match | None, content: Content) -> None:
        end = Mark.at_end(content, content.size())
        length = min(FINGERPRINT_BYTES, end.offset)
        head = Fingerprint.of(content.read(0, length))
        if head.length < length:
            raise FileTruncatedError(str(unread.sighting.path))
        self._parts.append(_Part(unread, found, head, end))

    def _judge_part(self, part: _Part) -> None:
        """Decide whether a short file is a copy of a known file.

        It is one, made or packed before the rest was written, if a known file that still exists begins with all of it.
        """
        sighting, end = part.unread.sighting, part.end
        try:
            whole = self._whole_of(part)
        except OSError as error:
            self._found.failed[sighting.path] = f"{sighting.path}: {error.strerror or error}"
            return
        if whole is None:
            self._found.unread.append(replace(part.unread, is_shorter=part.found is not None, is_short=True))
        elif TELLING_BYTES <= end.offset <= whole.read_to.offset:
            # fewer bytes are a packed file that has just begun, more than were read are one that has grown since it was examined
            self._found.copies.append((whole, sighting, part.head, end))

    def _whole_of(self, part: _Part) -> KnownFile | None:
        end, sighting = part.end, part.unread.sighting
        if part.found is not None:
            known = part.found.known
            return known if end == part.found.mark or self._is_part_of(known, end, sighting) else None
        plain, all_known = unpacked_name(sighting.path), list(self._registry.files.values())
        same_name = [known for known in all_known if unpacked_name(Path(known.path)) == plain]
        candidates = same_name + [known for known in all_known if known.number in self._whole and end.offset >= TELLING_BYTES]
        return next((known for known in candidates if self._is_part_of(known, end, sighting)), None)

    def _is_part_of(self, known: KnownFile, end: Mark, sighting: Sighting) -> bool:
        """Return whether the known file still exists as a different file that begins with all of this one."""
        where = self._whole.get(known.number, Path(known.path))
        if not isinstance(where, Path):
            return holds(where.content, end)
        try:
            with closing(open_content(self._disk, where)) as whole:
                return whole.status().node != sighting.status.node and holds(whole, known.read_to) and holds(whole, end)
        except (FileNotFoundError, CannotUnpackError):
            self._found.has_changed |= known.number in self._whole  # it existed earlier in this survey
            return False


def damage_of(path: Path | str, content: Content) -> str:
    """Return the problem text for a packed file that cannot be unpacked to its end."""
    return f"{path} is damaged, the rest cannot be decompressed: {content.damage}"


def _in_order(unread: Iterable[Unread], sightings: Iterable[Sighting]) -> list[Unread]:
    longest: dict[int | tuple[int, int], Unread] = {}
    for each in unread:
        key = each.number if each.number is not None else each.sighting.status.node
        if key not in longest or (each.is_packed, -each.size) < (longest[key].is_packed, -longest[key].size):
            longest[key] = each
    kept = list(longest.values())
    key_of = order_of([*sightings, *(each.sighting for each in kept)])
    return sorted(kept, key=lambda each: key_of(each.sighting))
