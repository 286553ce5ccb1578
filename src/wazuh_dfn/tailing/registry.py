"""The registry: the files that were read, and how far.

Files are identified by content. Inodes never matter, and names only for contents of fewer than `TELLING_BYTES` bytes. The registry does no
I/O apart from reading the contents that it is given.

A file is known by the fingerprint of its first bytes and by marks, which are offsets with the fingerprint of the bytes before them. A file
that holds these bytes is the known one, whatever its name, its place, and whether it is plain or packed. A file that holds only an earlier
mark came back shorter (a power cut, a restored copy) and is read on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from wazuh_dfn.errors import FileTruncatedError
from wazuh_dfn.messages import FINGERPRINT_BYTES, NO_BYTES, Fingerprint, Position
from wazuh_dfn.tailing.contents import Content
from wazuh_dfn.tailing.names import FIRST_SLOT, LAST_SLOT, Sighting, Slot, slot_of, unpacked_name

KEPT_FILES = 256
"""Maximum number of known files: most of a year of daily files, or almost two days of a rotation every ten minutes."""
RECENT_SAVES, EARLIER_SAVES = 16, 64
"""The marks of the last `RECENT_SAVES` saves are kept, and every fourth mark of the last `EARLIER_SAVES`.

They cover more seconds than a kernel delays the writing of data to the disk.
"""
TELLING_BYTES = 256
"""Minimum length at which bytes identify a file by themselves. An empty line or the beginning of an alert does not."""
NEVER = float("-inf")
"""Before every time a file can have, including times up to 1970."""
SETTLED_SECONDS = 2.0
"""Time in which a file can be written to again without a change of its time stamp, on a file system with coarse time stamps."""


class Mark(NamedTuple):
    """An offset in bytes, and the fingerprint of the bytes before it.

    The fingerprint may cover fewer bytes than there are.
    """

    offset: int = 0
    tail: Fingerprint = NO_BYTES

    @classmethod
    def at_end(cls, content: Content, size: int) -> Mark:
        """Return the mark after the last of `size` bytes.

        Raises:
            FileTruncatedError: the content has fewer bytes by now.
        """
        length = min(size, FINGERPRINT_BYTES)
        tail = Fingerprint.of(content.read(size - length, length))
        if tail.length < length:
            raise FileTruncatedError("an alert file was written again while it was looked at")
        return cls(size, tail)


BEGINNING = Mark()


class Appearance(NamedTuple):
    """Appearance of a file that had nothing unread.

    It need not be opened while it looks the same. `size` is in bytes, `modified` in seconds since the epoch.
    """

    path: str
    size: int
    modified: float


@dataclass(slots=True)
class KnownFile:
    """A file in the registry.

    `read_to` is how far it was read, `settled` how far it is settled.
    """

    number: int
    path: str
    head: Fingerprint = NO_BYTES
    """Fingerprint of the first bytes that were read. While it is empty, the content cannot identify the file."""
    read_to: Mark = BEGINNING
    settled: Mark = BEGINNING
    earlier: dict[int, Mark] = field(default_factory=dict)
    """The values of `settled` at earlier saves, by the number of the save."""
    read: Appearance | None = None
    """Appearance of the file when nothing in it was unread."""
    is_whole: bool = False
    """Whether all of it counts as read, whatever its length: a packed file from before the first start."""
    copy_of: int = 0
    """Number of the file whose first part this file is a copy of, or 0 if it is not a copy."""

    @property
    def is_settled(self) -> bool:
        """Whether everything that was read of it is settled."""
        return self.settled.offset == self.read_to.offset


class Match(NamedTuple):
    """The known file that a content belongs to, and the mark from which to read on."""

    known: KnownFile
    mark: Mark

    @property
    def is_shorter(self) -> bool:
        """Whether the content does not hold everything that was read of the known file."""
        return not self.known.is_whole and self.mark != self.known.read_to


class Registry:
    """All known files.

    Only its owner in the event loop changes it. A survey of the disk reads it from a thread.
    """

    def __init__(self) -> None:
        self.is_begun = False
        """Whether it is known what was read before. Nothing may be saved earlier."""
        self.files: dict[int, KnownFile] = {}
        self.saves = 0
        self.forgotten_before = NEVER
        """An unknown file last written to at or before this time (seconds since the epoch) was known once and forgotten."""
        self.forgotten_slot: Slot = FIRST_SLOT
        """The same for packed dated files, which are no longer written to: an unknown one up to this slot was forgotten."""
        self.passed_over: frozenset[Appearance] = frozenset()
        """Appearances of the files that the last survey found to be forgotten. They need not be opened while they look the same."""
        self.changes = 0
        """Increases with each change that is worth saving."""
        self.touched: set[int] = set()
        """Numbers of the files whose settled position moved since the last save began."""
        self.settled_through: Position | None = None
        """The position that was settled last, in any file."""
        self._in_save: set[int] = set()
        self._last_number = 0

    def restore(self, files: Iterable[KnownFile], saves: int, forgotten_before: float, forgotten_slot: Slot) -> None:
        """Take over a saved registry."""
        self.files = {known.number: known for known in files}
        self.saves, self.forgotten_before, self.forgotten_slot = saves, forgotten_before, forgotten_slot
        self._last_number = max(self.files, default=0)

    def identify(self, content: Content, path: str) -> Match | None:
        """Return the known file of which the content at `path` holds the most, or None if it is new.

        A few bytes, such as those of an alert that was cut off by a crash, fit any file. The name must then be the same too, apart from a
        packer's suffix.
        """
        first = content.read(0, FINGERPRINT_BYTES)
        alike = [known for known in list(self.files.values()) if known.head.length and known.head.fits(first) and _may_be(known, path)]
        marks = (Match(known, mark) for known in alike for mark in _marks(known))
        found = None
        for match in sorted(marks, key=lambda match: (match.mark.offset, not match.known.copy_of, match.known.number)):
            if holds(content, match.mark) and _is_telling(content, match.mark):
                found = match  # in rising order, because a step back makes a packed file unpack from its beginning
            elif not content.read(match.mark.offset - 1, 1):
                break
        if found is not None:
            return found
        return next((Match(known, known.read_to) for known in alike if known.is_whole), None)

    def appearances(self) -> Collection[Appearance]:
        """Return the appearances of all files without unread bytes."""
        return {known.read for known in list(self.files.values()) if known.read is not None}

    def is_forgotten(self, sighting: Sighting) -> bool:
        """Return whether an unknown file was known once and forgotten."""
        is_packed_old = sighting.slot is not None and sighting.has_packed_name and sighting.slot <= self.forgotten_slot
        return is_packed_old or sighting.status.modified <= self.forgotten_before

    def add(self, path: str, head: Fingerprint = NO_BYTES, mark: Mark = BEGINNING, *, is_whole: bool = False) -> KnownFile:
        """Add a file of which everything up to `mark` counts as settled, and return it."""
        self._last_number += 1
        known = KnownFile(self._last_number, path, head, mark, mark, is_whole=is_whole)
        self.files[known.number] = known
        self._touch(known)
        return known

    def add_copy(self, whole: KnownFile, path: str, head: Fingerprint, end: Mark) -> KnownFile:
        """Add a copy of the first part of a known file.

        It is settled as soon as that part is.
        """
        for former in [known for known in self.files.values() if known.copy_of == whole.number and known.path == path]:
            self.drop(former)  # it was not packed to its end then
        copy = self.add(path, head, end)
        copy.copy_of = whole.number
        return copy

    def move(self, known: KnownFile, path: str) -> None:
        """Continue reading a known file in another file that holds all of it, such as the original of a packed copy.

        The former file keeps an entry as a copy.
        """
        if known.read is not None and known.read.path != path:
            self.add_copy(known, known.read.path, known.head, known.read_to).read = known.read
            known.read = None

    def go_on(self, position: Position) -> None:
        """Record that everything before the position has been read."""
        known = self.files[position.file]
        known.read_to, known.path, known.read = Mark(position.offset, position.tail), position.path, None

    def go_back(self, known: KnownFile, mark: Mark) -> None:
        """Read the file again from this mark on."""
        known.read_to, known.read = mark, None

    def settle(self, position: Position) -> None:
        """Record that everything before the position is settled."""
        self.settled_through = position
        known = self.files.get(position.file)
        if known is not None:
            known.settled, known.copy_of = Mark(position.offset, position.tail), 0
            self._touch(known)

    def note_read(self, known: KnownFile, appearance: Appearance, now: float) -> None:
        """Record that the file has nothing unread in its present appearance.

        `now` is in seconds since the epoch. A file written to within `SETTLED_SECONDS` of `now` is not recorded, because it may change
        without a change of its time stamp.
        """
        known.path = appearance.path
        if abs(appearance.modified - now) > SETTLED_SECONDS and known.read != appearance:
            known.read = appearance
            self.changes += 1

    def begin_save(self) -> Collection[KnownFile]:
        """Return what is to be saved now.

        `end_save` must follow. Earlier marks are kept, and thinned out with their age.
        """
        self._in_save, self.touched = self.touched, set()
        save = self.saves + 1
        for known in self.files.values():
            if known.number in self._in_save:
                known.earlier[save] = known.settled
            known.earlier = {number: mark for number, mark in known.earlier.items() if _is_kept(number, save)}
        return self._snapshots(self.files.values())

    def end_save(self, *, is_saved: bool) -> None:
        """Record the end of a save, successful or not."""
        if is_saved:
            self.saves += 1
        else:
            self.touched |= self._in_save
        self._in_save = set()

    def moved(self) -> Collection[KnownFile]:
        """Return the files whose settled position differs from the last successful save."""
        numbers = (self.touched | self._in_save) & self.files.keys()
        return self._snapshots(self.files[number] for number in numbers)

    def _snapshots(self, files: Iterable[KnownFile]) -> list[KnownFile]:
        return [snapshot(known) for known in files if (known.settled.offset or known.is_whole) and self._is_settled_in_whole(known)]

    def _is_settled_in_whole(self, known: KnownFile) -> bool:
        """Return whether it is not a copy, or the same part of its original is settled."""
        whole = self.files.get(known.copy_of)
        return whole is None or known.settled.offset <= whole.settled.offset

    def forget(self, there: Iterable[Sighting], waiting: Collection[Sighting], keep: Collection[int], now: float) -> None:
        """Forget the surplus over `KEPT_FILES`: first the files that are gone, then the oldest.

        A file stays if its number is in `keep`, if it is not settled, or if it is not older than `now` and all files in `waiting`, which
        are still to be read.
        """
        surplus = len(self.files) - KEPT_FILES
        if surplus <= 0:
            return
        sightings = {str(sighting.path): sighting for sighting in there}
        modified = min([now, *(sighting.status.modified for sighting in waiting)])
        slot = min((sighting.slot for sighting in waiting if sighting.slot is not None), default=LAST_SLOT)

        def may_go(known: KnownFile) -> bool:
            found = sightings.get(known.path)
            is_older = found is None or (found.status.modified < modified and (found.slot or FIRST_SLOT) < slot)
            return is_older and known.number not in keep and known.is_settled and self._is_settled_in_whole(known)

        able = [known for known in self.files.values() if may_go(known)]
        able.sort(key=lambda known: (known.path in sightings, slot_of(Path(known.path)) or FIRST_SLOT, known.number))
        for known in able[:surplus]:
            self.drop(known)
            self.forget_unseen([sightings[known.path]] if known.path in sightings else [])

    def forget_unseen(self, sightings: Iterable[Sighting]) -> None:
        """Count these files, which are not or no longer known, as read while they are as old as they are now."""
        for sighting in sightings:
            self.forgotten_before = max(self.forgotten_before, sighting.status.modified)
            self.forgotten_slot = max(self.forgotten_slot, sighting.slot or self.forgotten_slot)

    def drop(self, known: KnownFile) -> None:
        """Remove a file from the registry."""
        del self.files[known.number]
        self.changes += 1

    def _touch(self, known: KnownFile) -> None:
        self.touched.add(known.number)
        self.changes += 1


def appearance_of(sighting: Sighting) -> Appearance:
    """Return the appearance of a file."""
    return Appearance(str(sighting.path), sighting.status.size, sighting.status.modified)


def order_of(sightings: Iterable[Sighting]) -> Callable[[Sighting], tuple[bool, Slot, bool, bool, float]]:
    """Return a sort key for files in reading order: by day and number, the current file last.

    A file without a date comes before the first dated file that was written to after it. A packed file comes before another plain file of
    its name.
    """
    dated = [(sighting.slot, sighting.status.modified) for sighting in sightings if sighting.slot is not None]

    def key(sighting: Sighting) -> tuple[bool, Slot, bool, bool, float]:
        modified = sighting.status.modified
        slot = sighting.slot or min((slot for slot, written in dated if written >= modified), default=LAST_SLOT)
        return sighting.is_current, slot, sighting.slot is not None, not sighting.has_packed_name, modified

    return key


def holds(content: Content, mark: Mark) -> bool:
    """Return whether the content has the bytes of the mark at its offset."""
    start = max(0, mark.offset - max(1, mark.tail.length))
    data = content.read(start, mark.offset - start)
    return len(data) == mark.offset - start and mark.tail.fits(data)


def _may_be(known: KnownFile, path: str) -> bool:
    return known.head.length >= TELLING_BYTES or unpacked_name(Path(known.path)) == unpacked_name(Path(path))


def _is_telling(content: Content, mark: Mark) -> bool:
    """Return whether it is safe to read on at the mark.

    The few bytes of a torn line can begin any other line too.
    """
    ends_line = content.read(mark.offset - 1, 1) == b"\n" if 0 < mark.offset < TELLING_BYTES else True
    return ends_line or not content.read(mark.offset, 1)


def _marks(known: KnownFile) -> Iterator[Mark]:
    yield from () if known.is_whole else dict.fromkeys((known.read_to, known.settled, *known.earlier.values(), BEGINNING))


def _is_kept(save: int, latest: int) -> bool:
    age = latest - save
    return age < RECENT_SAVES or (age < EARLIER_SAVES and save % 4 == 0)


def snapshot(known: KnownFile) -> KnownFile:
    """Return the state of a file to save, in which it was read only as far as it is settled."""
    earlier = {save: mark for save, mark in known.earlier.items() if mark != known.settled}
    return replace(known, read_to=known.settled, earlier=earlier, read=known.read if known.is_settled else None)
