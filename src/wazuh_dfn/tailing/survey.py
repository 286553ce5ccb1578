"""One survey of the disk: which of the files there hold bytes that were not read yet, and in which order to read them. Blocks."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
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
    """A file that is open already: what has lost its name is found nowhere else. `number` is that in the registry."""

    path: str
    number: int | None
    content: Content


@dataclass(frozen=True, slots=True)
class Unread:
    """A file with unread bytes, which is open if it is `held`; `number` is that in the registry if all that was read of it is there."""

    sighting: Sighting
    number: int | None = None
    size: int = 0
    """Of a plain file, in bytes."""
    is_packed: bool = False
    is_shorter: bool = False
    """Whether it is a known file that came back shorter than it was."""
    held: HeldFile | None = None


@dataclass(slots=True)
class Survey:
    """What was found. `read` has nothing unread; `copies` are parts of known files that are elsewhere, with their first bytes and ends."""

    sightings: list[Sighting]
    current: Sighting | None
    unread: list[Unread] = field(default_factory=list)
    """In the order in which they are to be read; of several files with the same content the longest alone."""
    read: list[tuple[KnownFile, Sighting]] = field(default_factory=list)
    copies: list[tuple[KnownFile, Sighting, Fingerprint, Mark]] = field(default_factory=list)
    failed: dict[Path, str] = field(default_factory=dict)
    """Files that may have unread bytes, and why they can't be looked into."""
    has_changed: bool = False
    """Whether a file was not there any more when it was opened: what was found then may be wrong."""
    broken: list[tuple[HeldFile, OSError]] = field(default_factory=list)
    """Open files that answer with an error."""
    passed_over: list[Appearance] = field(default_factory=list)
    """Of files that were known once, and forgotten."""
    cannot_unpack: dict[Path, str] = field(default_factory=dict)
    damaged: dict[Path, str] = field(default_factory=dict)


def survey(disk: Disk, alerts: Path, registry: Registry, held: Sequence[HeldFile] = (), since: Month = FIRST_MONTH) -> Survey:
    """Look at all files from a month on; contents are opened only where something changed.

    Args:
        disk: where they are.
        alerts: the path of `alerts.json`.
        registry: what is known.
        held: the open files.
        since: the first month whose files are looked at.

    Raises:
        OSError: the folder of `alerts` or its status can't be read.
    """
    alerts = disk.resolve(alerts)
    listing = list_files(disk, alerts, since)
    found = Survey(listing.sightings, listing.current, failed=listing.failed)
    return _Surveyor(disk, alerts, registry, found).look(held)


def match(registry: Registry, content: Content, path: str, number: int | None) -> Match | None:
    """Return which known file it is: the one of that number as long as it holds what was read of it, or by its content; None if it is new."""
    known = registry.files.get(number) if number is not None else None
    if known is not None and is_same(content, known.head, known.read_to):
        return Match(known, known.read_to)
    return registry.identify(content, path)


def is_same(content: Content, head: Fingerprint, mark: Mark) -> bool:
    """Return whether a content that was known before still is what it was up to the mark."""
    if not holds(content, mark):
        return False
    is_telling = mark.tail.length >= TELLING_BYTES or not mark.tail.length
    return is_telling or head.fits(content.read(0, head.length))


def has_more(content: Content, offset: int) -> bool:
    """Return whether there are bytes behind the offset."""
    return bool(content.read(offset, 1)) if content.is_packed else content.size() > offset


class _Surveyor:
    def __init__(self, disk: Disk, alerts: Path, registry: Registry, found: Survey) -> None:
        self._disk = disk
        self._alerts = alerts
        self._registry = registry
        self._found = found
        self._whole: dict[int, HeldFile | Path] = {}
        """Where all that was read of a known file is, by its number."""
        self._shorter: list[tuple[Sighting, HeldFile | None, Match | None]] = []

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
                continue
            is_read = look in read and not sighting.is_current
            if sighting.status.node not in nodes and not is_read:
                self._open_and(sighting, None, partial(self._judge, sighting, None))
        for sighting, held_file, found in self._shorter:
            self._open_and(sighting, held_file, partial(self._judge_shorter, sighting, held_file, found))
        self._found.unread = _in_order(self._found.unread, self._found.sightings)
        return self._found

    def _of_held(self, file: HeldFile) -> Sighting:
        path, status, current = Path(file.path), file.content.status(), self._found.current
        is_current = current is not None and current.status.node == status.node
        slot = slot_of(path)
        return Sighting(path, status, "dated" if slot is not None else naming_of(path, self._alerts), slot, is_current)

    def _open_and(self, sighting: Sighting, held: HeldFile | None, judge: Callable[[Content], None]) -> None:
        try:
            with nullcontext(held.content) if held is not None else closing(open_content(self._disk, sighting.path)) as content:
                judge(content)
                if content.damage is not None and sighting.naming != "stranger":
                    self._found.damaged[sighting.path] = damage_of(sighting.path, content)
        except (FileNotFoundError, FileTruncatedError):
            self._found.has_changed = True  # renamed or packed just now: the next survey finds it
        except CannotUnpackError as error:
            if sighting.naming != "stranger" and not self._was_read_before_packing(sighting):
                self._found.cannot_unpack[sighting.path] = str(error)
        except OSError as error:
            if sighting.is_current or (sighting.naming in {"dated", "copy"} and error.errno not in NO_REGULAR_FILE):
                self._found.failed[sighting.path] = f"{sighting.path}: {error.strerror or error}"

    def _was_read_before_packing(self, sighting: Sighting) -> bool:
        plain = str(unpacked_name(sighting.path))
        latest = sighting.status.modified + 2  # packers keep the time of what they pack, some to the second
        all_known = list(self._registry.files.values())
        return any(known.path == plain and known.read is not None and known.read.modified <= latest for known in all_known)

    def _judge(self, sighting: Sighting, held: HeldFile | None, content: Content) -> None:
        found = match(self._registry, content, str(sighting.path), held.number if held is not None else None)
        if found is not None and found.known.is_whole and not content.is_packed and (sighting.is_current or held is not None):
            found = None  # what was packed then may be its first part alone
        if found is None:
            if self._is_part_of_plain(sighting, content):
                return
            if self._may_be_new(sighting, content, held) and has_more(content, 0):
                is_short = held is None and not sighting.is_current and not has_more(content, FINGERPRINT_BYTES)
                self._shorter.append((sighting, held, None)) if is_short else self._add(sighting, content, held, None)
            return
        if not found.is_shorter:
            self._whole.setdefault(found.known.number, held or sighting.path)
        if found.known.is_whole or not (found.is_shorter or has_more(content, found.mark.offset)):
            self._found.read.append((found.known, sighting))
        elif not found.is_shorter and (whole := self._registry.files.get(found.known.copy_of)) is not None and content.is_packed:
            self._shorter.append((sighting, held, Match(whole, found.mark)))  # it was not packed to its end when it was looked at
        elif not found.is_shorter:
            self._add(sighting, content, held, found.known.number)
        elif sighting.naming != "stranger" or sighting.is_current or held is not None:
            self._shorter.append((sighting, held, found))

    def _add(self, sighting: Sighting, content: Content, held: HeldFile | None, number: int | None, *, is_shorter: bool = False) -> None:
        size = 0 if content.is_packed else content.size()
        self._found.unread.append(Unread(sighting, number, size, content.is_packed, is_shorter, held))

    def _is_part_of_plain(self, sighting: Sighting, content: Content) -> bool:
        """Whether it is just being packed, or a crash of the machine left both files."""
        if not sighting.is_beside_plain:
            return False
        with closing(open_content(self._disk, unpacked_name(sighting.path))) as plain:
            first = content.read(0, FINGERPRINT_BYTES)
            return plain.read(0, len(first)) == first and holds(plain, Mark.at_end(content, content.size()))

    def _may_be_new(self, sighting: Sighting, content: Content, held: HeldFile | None) -> bool:
        if sighting.is_current or held is not None:
            return True
        if self._registry.is_forgotten(sighting):
            self._found.passed_over.append(appearance_of(sighting))
            return False
        if sighting.naming == "stranger":
            return False
        return sighting.naming != "lettered" or content.read(0, FINGERPRINT_BYTES).lstrip(b"\0").startswith(b"{")

    def _judge_shorter(self, sighting: Sighting, held: HeldFile | None, found: Match | None, content: Content) -> None:
        """It begins like a known file and ends before the place up to which that was read, or has too few bytes to tell.

        If a known file that is still there begins with all of it, it is a copy of that part, made (or packed) before the rest was written.
        """
        end = Mark.at_end(content, content.size())
        whole = self._whole_of(sighting, found, end)
        # fewer bytes are a packed file that is just begun, more than were read one that has grown since it was looked at
        if whole is not None and TELLING_BYTES <= end.offset <= whole.read_to.offset:
            length = min(FINGERPRINT_BYTES, end.offset)
            first = Fingerprint.of(content.read(0, length))
            if first.length == length:
                self._found.copies.append((whole, sighting, first, end))
        elif whole is None:
            self._add(sighting, content, held, None, is_shorter=found is not None)

    def _whole_of(self, sighting: Sighting, found: Match | None, end: Mark) -> KnownFile | None:
        if found is not None:
            return found.known if end == found.mark or self._is_part_of(found.known, end) else None
        plain, all_known = unpacked_name(sighting.path), list(self._registry.files.values())
        same_name = [known for known in all_known if unpacked_name(Path(known.path)) == plain]
        candidates = same_name + [known for known in all_known if known.number in self._whole and end.offset >= TELLING_BYTES]
        return next((known for known in candidates if self._is_part_of(known, end)), None)

    def _is_part_of(self, known: KnownFile, end: Mark) -> bool:
        where = self._whole.get(known.number, Path(known.path))
        if not isinstance(where, Path):
            return holds(where.content, end)
        try:
            with closing(open_content(self._disk, where)) as whole:
                return holds(whole, known.read_to) and holds(whole, end)
        except (FileNotFoundError, CannotUnpackError):
            self._found.has_changed |= known.number in self._whole  # it was there before in this survey
            return False


def damage_of(path: Path | str, content: Content) -> str:
    """Return what to say of a packed file that can't be read to its end."""
    return f"{path} is damaged, its rest can't be unpacked: {content.damage}"


def _in_order(unread: Iterable[Unread], sightings: Iterable[Sighting]) -> list[Unread]:
    longest: dict[int | tuple[int, int], Unread] = {}
    for each in unread:
        key = each.number if each.number is not None else each.sighting.status.node
        if key not in longest or (each.is_packed, -each.size) < (longest[key].is_packed, -longest[key].size):
            longest[key] = each
    kept = list(longest.values())
    key_of = order_of([*sightings, *(each.sighting for each in kept)])
    return sorted(kept, key=lambda each: key_of(each.sighting))
