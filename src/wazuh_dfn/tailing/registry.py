"""The registry: the files that were read and how far, told by their content. Pure; names and inodes never decide.

A file is known by the fingerprint of its first bytes and by marks: offsets with the fingerprint of the bytes before them. Whatever it is
called, wherever it lies, plain or packed, a file that holds these bytes is the known one. A file that holds only an earlier mark came back
shorter (a power cut, a restored copy) and is read on from there.
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
"""The most files that are remembered: most of a year of days, or almost two days of a rotation every ten minutes."""
RECENT_SAVES, EARLIER_SAVES = 16, 64
"""The marks of so many saves are kept, and every fourth one of so many: more seconds than a kernel keeps written bytes to itself."""
TELLING_BYTES = 256
"""From this length on, bytes tell by themselves which file it is; an empty line or the beginning of an alert does not."""
NEVER = float("-inf")
"""Before all times a file can have, among them those up to 1970."""
SETTLED_SECONDS = 2.0
"""A file that was written to just now can be written to once more without a change of its time, on a file system with coarse times."""


class Mark(NamedTuple):
    """An offset in bytes, and the fingerprint of the bytes before it; it may cover fewer than there were."""

    offset: int = 0
    tail: Fingerprint = NO_BYTES

    @classmethod
    def at_end(cls, content: Content, size: int) -> Mark:
        """Return the mark behind the last of `size` bytes; raises FileTruncatedError if there are fewer by now."""
        length = min(size, FINGERPRINT_BYTES)
        tail = Fingerprint.of(content.read(size - length, length))
        if tail.length < length:
            raise FileTruncatedError("an alert file was written again while it was looked at")
        return cls(size, tail)


BEGINNING = Mark()


class Appearance(NamedTuple):
    """How a file looked that had nothing unread: as long as it looks so, it need not be opened. `modified` in seconds since the epoch."""

    path: str
    size: int
    modified: float


@dataclass(slots=True)
class KnownFile:
    """One file: `read_to` is how far it was read, `settled` how far all of it is settled."""

    number: int
    path: str
    head: Fingerprint = NO_BYTES
    """Of the first bytes that were read; without any, the content can't tell the file yet."""
    read_to: Mark = BEGINNING
    settled: Mark = BEGINNING
    earlier: dict[int, Mark] = field(default_factory=dict)
    """`settled` as former saves had it, by their number."""
    read: Appearance | None = None
    """Set once there was nothing unread in it."""
    is_whole: bool = False
    """Whether all of it counts as read, however much that is: a packed file from before the first start."""
    copy_of: int = 0
    """The number of the file of which it is a copy of the first part; 0 if it is none."""

    @property
    def is_settled(self) -> bool:
        """Whether all that was read of it is settled."""
        return self.settled.offset == self.read_to.offset


class Match(NamedTuple):
    """A known file that a content turned out to be, and the mark from which to read on in it."""

    known: KnownFile
    mark: Mark

    @property
    def is_shorter(self) -> bool:
        """Whether the content does not hold all that was read of the known file."""
        return not self.known.is_whole and self.mark != self.known.read_to


class Registry:
    """All known files. Only its owner, in the event loop, changes it; a survey of the disk in a thread reads it."""

    def __init__(self) -> None:
        self.is_begun = False
        """Whether it is known what was read before; nothing is to be saved earlier."""
        self.files: dict[int, KnownFile] = {}
        self.saves = 0
        self.forgotten_before = NEVER
        """Unknown files that were last written to then (seconds since the epoch) or earlier were known once, and forgotten."""
        self.forgotten_slot: Slot = FIRST_SLOT
        """The same for packed dated files, which are not written to any more: up to this place in the order of days."""
        self.passed_over: frozenset[Appearance] = frozenset()
        """How the files look that the last survey found to be forgotten ones: as long as they look so, they need not be opened either."""
        self.changes = 0
        """Rises with each change that is worth saving."""
        self.touched: set[int] = set()
        """The files whose settled position moved since the last save began."""
        self.settled_through: Position | None = None
        """The latest position that was settled, in whichever file."""
        self._in_save: set[int] = set()
        self._last_number = 0

    def restore(self, files: Iterable[KnownFile], saves: int, forgotten_before: float, forgotten_slot: Slot) -> None:
        """Begin with what was saved."""
        self.files = {known.number: known for known in files}
        self.saves, self.forgotten_before, self.forgotten_slot = saves, forgotten_before, forgotten_slot
        self._last_number = max(self.files, default=0)

    def identify(self, content: Content, path: str) -> Match | None:
        """Return which known file the content at that path is: the one of which it holds the most; None if it is none.

        Few bytes, as of an alert that a crash cut off, can be those of any file: then the name has to be the same, packed or not.
        """
        first = content.read(0, FINGERPRINT_BYTES)
        alike = [known for known in list(self.files.values()) if known.head.length and known.head.fits(first) and _may_be(known, path)]
        marks = (Match(known, mark) for known in alike for mark in _marks(known))
        found = None
        for match in sorted(marks, key=lambda match: (match.mark.offset, not match.known.copy_of, match.known.number)):
            if holds(content, match.mark) and _is_telling(content, match.mark):
                found = match  # forwards: for each step back, a packed file is unpacked from its beginning
            elif not content.read(match.mark.offset - 1, 1):
                break
        if found is not None:
            return found
        return next((Match(known, known.read_to) for known in alike if known.is_whole), None)

    def appearances(self) -> Collection[Appearance]:
        """Return how the files look in which there is nothing unread."""
        return {known.read for known in list(self.files.values()) if known.read is not None}

    def is_forgotten(self, sighting: Sighting) -> bool:
        """Tell whether an unknown file is one that was known once."""
        is_packed_old = sighting.slot is not None and sighting.has_packed_name and sighting.slot <= self.forgotten_slot
        return is_packed_old or sighting.status.modified <= self.forgotten_before

    def add(self, path: str, head: Fingerprint = NO_BYTES, mark: Mark = BEGINNING, *, is_whole: bool = False) -> KnownFile:
        """Remember another file, all of which up to `mark` counts as settled; returns it."""
        self._last_number += 1
        known = KnownFile(self._last_number, path, head, mark, mark, is_whole=is_whole)
        self.files[known.number] = known
        self._touch(known)
        return known

    def add_copy(self, whole: KnownFile, path: str, head: Fingerprint, end: Mark) -> KnownFile:
        """Remember a copy of the first part of a known file; it is settled as soon as that part is."""
        for former in [known for known in self.files.values() if known.copy_of == whole.number and known.path == path]:
            self.drop(former)  # it was not packed to its end then
        copy = self.add(path, head, end)
        copy.copy_of = whole.number
        return copy

    def move(self, known: KnownFile, path: str) -> None:
        """Read on in another file that holds all of it, as one from which a packed copy was made; the present one keeps an entry."""
        if known.read is not None and known.read.path != path:
            self.add_copy(known, known.read.path, known.head, known.read_to).read = known.read
            known.read = None

    def go_on(self, position: Position) -> None:
        """All before the position has been read."""
        known = self.files[position.file]
        known.read_to, known.path, known.read = Mark(position.offset, position.tail), position.path, None

    def go_back(self, known: KnownFile, mark: Mark) -> None:
        """Read again from there on."""
        known.read_to, known.read = mark, None

    def settle(self, position: Position) -> None:
        """All before the position is settled."""
        self.settled_through = position
        known = self.files.get(position.file)
        if known is not None:
            known.settled, known.copy_of = Mark(position.offset, position.tail), 0
            self._touch(known)

    def note_read(self, known: KnownFile, appearance: Appearance, now: float) -> None:
        """There is nothing unread in it, as it looks by now; `now` in seconds since the epoch."""
        known.path = appearance.path
        if abs(appearance.modified - now) > SETTLED_SECONDS and known.read != appearance:
            known.read = appearance
            self.changes += 1

    def begin_save(self) -> Collection[KnownFile]:
        """Return what is to be saved by now; `end_save` has to follow. Earlier marks are kept, thinned out with their age."""
        self._in_save, self.touched = self.touched, set()
        save = self.saves + 1
        for known in self.files.values():
            if known.number in self._in_save:
                known.earlier[save] = known.settled
            known.earlier = {number: mark for number, mark in known.earlier.items() if _is_kept(number, save)}
        return self._snapshots(self.files.values())

    def end_save(self, *, is_saved: bool) -> None:
        """The save has ended, well or not."""
        if is_saved:
            self.saves += 1
        else:
            self.touched |= self._in_save
        self._in_save = set()

    def moved(self) -> Collection[KnownFile]:
        """Return the files whose settled position is not the one of the last save that ended well."""
        numbers = (self.touched | self._in_save) & self.files.keys()
        return self._snapshots(self.files[number] for number in numbers)

    def _snapshots(self, files: Iterable[KnownFile]) -> list[KnownFile]:
        return [snapshot(known) for known in files if (known.settled.offset or known.is_whole) and self._is_settled_in_whole(known)]

    def _is_settled_in_whole(self, known: KnownFile) -> bool:
        """Whether it is no copy, or the same part of the file of which it is one is settled."""
        whole = self.files.get(known.copy_of)
        return whole is None or known.settled.offset <= whole.settled.offset

    def forget(self, there: Iterable[Sighting], waiting: Collection[Sighting], keep: Collection[int], now: float) -> None:
        """Forget what is too much: first the files that are gone, then the oldest.

        None is forgotten that is in `keep`, is not settled, or is not older than all that is `waiting` to be read, and than `now`.
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
        """Take these files, which are not known (any more), for read as long as they are as old as they are now."""
        for sighting in sightings:
            self.forgotten_before = max(self.forgotten_before, sighting.status.modified)
            self.forgotten_slot = max(self.forgotten_slot, sighting.slot or self.forgotten_slot)

    def drop(self, known: KnownFile) -> None:
        """Forget a file."""
        del self.files[known.number]
        self.changes += 1

    def _touch(self, known: KnownFile) -> None:
        self.touched.add(known.number)
        self.changes += 1


def appearance_of(sighting: Sighting) -> Appearance:
    """Return how a file looks."""
    return Appearance(str(sighting.path), sighting.status.size, sighting.status.modified)


def order_of(sightings: Iterable[Sighting]) -> Callable[[Sighting], tuple[bool, Slot, bool, bool, float]]:
    """Return a sort key for files in the order in which they are to be read: by day and number, the current one last.

    A file without a date comes before the first dated one that was written to after it, a packed one before another plain one of its name.
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
    """Return whether reading on there is safe: the few bytes of a torn line are those with which any other one begins, too."""
    ends_line = content.read(mark.offset - 1, 1) == b"\n" if 0 < mark.offset < TELLING_BYTES else True
    return ends_line or not content.read(mark.offset, 1)


def _marks(known: KnownFile) -> Iterator[Mark]:
    yield from () if known.is_whole else dict.fromkeys((known.read_to, known.settled, *known.earlier.values(), BEGINNING))


def _is_kept(save: int, latest: int) -> bool:
    age = latest - save
    return age < RECENT_SAVES or (age < EARLIER_SAVES and save % 4 == 0)


def snapshot(known: KnownFile) -> KnownFile:
    """Return what is to be saved of it: as if no more was read than is settled."""
    earlier = {save: mark for save, mark in known.earlier.items() if mark != known.settled}
    return replace(known, read_to=known.settled, earlier=earlier, read=known.read if known.is_settled else None)
