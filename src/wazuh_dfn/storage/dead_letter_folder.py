"""The dead letters in a folder: for each line `NAME.raw` with its bytes and `NAME.json` with what happened."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from pathlib import Path

import anyio
import structlog

from wazuh_dfn.delivery.dead_letters import DeadLetter, LetterCounts
from wazuh_dfn.storage.letter_index import LetterIndex, stage_of
from wazuh_dfn.storage.removed_letters import Removed, is_looked_at, load_removed, save_removed
from wazuh_dfn.tailing.disk import Disk
from wazuh_dfn.trouble import Trouble

RETRY_SECONDS = 5.0
PATIENCE_SECONDS = 10.0
"""After so long a file system that does not answer is a problem."""
LIST_AGAIN_SECONDS = 60.0
"""How often, at most, is looked whether the operator has removed letters."""
LOOK_SECONDS = 1.0
_NUMBER = re.compile(r"\d+")
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Contents:
    """What the folder holds, as far as is known."""

    index: LetterIndex
    removed: Removed
    listed_at: float = -inf
    """When was last looked whether the operator has removed letters."""
    going: list[str] = field(default_factory=list)
    """Counted as removed, and not all of them removed yet."""
    is_doubtful: bool = False
    """A sync failed: what it was for can look well, and not be on the disk though the next sync succeeds."""


class DeadLetterFolder:
    """Implements `DeadLetterStore`.

    The name is made of the line's place and the stage, so that a line stored again after a crash replaces itself.

    Args:
        folder: made if missing.
        disk: where it is.
        max_letters: of a stage; over it, its oldest are removed.
        max_bytes: of all; over it junk is removed first, then the oldest.
    """

    def __init__(self, folder: Path, disk: Disk, max_letters: int, max_bytes: int) -> None:
        self._folder = folder
        self._disk = disk
        self._max_letters = max_letters
        self._max_bytes = max_bytes
        self._contents: _Contents | None = None
        self._lock = anyio.Lock()
        self._trouble = Trouble(log, "dead letter can't be written, waiting", "dead letters can be written again")
        self._writing_since: float | None = None
        self._counts: LetterCounts | None = None
        self._look_again_at = 0.0

    @property
    def problem(self) -> str | None:
        """See `DeadLetterStore`."""
        if self._writing_since is not None and (seconds := anyio.current_time() - self._writing_since) >= PATIENCE_SECONDS:
            return f"the file system of {self._folder} has not answered for {seconds:.0f} s"
        return self._trouble.reason

    async def store(self, letters: Sequence[DeadLetter]) -> None:
        """See `DeadLetterStore`."""
        async with self._lock:
            removed = await self._store_patiently(letters)
        _log_stored(letters)
        if removed:
            limits = {"max_failed_files": self._max_letters, "max_failed_bytes": self._max_bytes}
            log.warning("dead-letter folder is full, the oldest were removed", removed=dict(removed), **limits)

    async def counts(self) -> LetterCounts | None:
        """See `DeadLetterStore`. Of a file system that does not answer, the last counts."""
        now = anyio.current_time()
        if now < self._look_again_at or self._lock.locked():
            return self._counts
        async with self._lock:
            with suppress(OSError), anyio.move_on_after(LOOK_SECONDS) as patience:
                # it may go on when nobody waits any more, so it changes nothing
                contents, names, seen = await self._disk.run(self._look, now)
                if names is not None:
                    contents.index.keep_only(names)
                    contents.listed_at = now
                self._contents = contents
                removed = contents.removed
                self._counts = LetterCounts(contents.index.counts, removed.removed, {} if seen else removed.news, removed.since)
            if patience.cancelled_caught:
                self._look_again_at = anyio.current_time() + LIST_AGAIN_SECONDS  # a question without an answer keeps a thread
        return self._counts

    def _look(self, now: float) -> tuple[_Contents, set[str] | None, bool]:
        known = self._contents
        contents = known or self._read_folder()
        names = None if known is None or now < known.listed_at + LIST_AGAIN_SECONDS else self._names()
        return contents, names, is_looked_at(self._disk, self._folder, contents.removed)

    async def _store_patiently(self, letters: Sequence[DeadLetter]) -> Counter[str]:
        """Wait for room on the disk: without it the lines can't be settled, and giving up would lose them."""
        while True:
            self._writing_since = now = anyio.current_time()
            try:
                removed = await self._disk.run_to_its_end(self._store, letters, now)
            except OSError as error:
                self._trouble.note(str(error), folder=str(self._folder))
            else:
                self._trouble.is_over()
                return removed
            finally:
                self._writing_since = None
            await anyio.sleep(RETRY_SECONDS)

    def _store(self, letters: Sequence[DeadLetter], now: float) -> Counter[str]:
        """Write all, make all durable at once, then remove what is too much; returns how many that were of each stage."""
        self._disk.make_folder(self._folder)
        if self._contents is None:
            self._contents = self._read_folder()
        contents = self._contents
        for letter in letters:
            self._write(contents, letter)
        surplus = self._surplus(contents, now)
        removed = contents.removed
        if surplus:  # counted before they go: what is removed and not counted would be lost without a trace
            seen = is_looked_at(self._disk, self._folder, removed)
            removed = removed.and_more(Counter(map(stage_of, surplus)), _now(), is_looked_at=seen)
            save_removed(self._disk, self._folder, removed)
        contents.is_doubtful = True
        self._disk.sync_file_system(self._folder)
        contents.is_doubtful = False
        contents.removed = removed
        contents.index.remove(surplus)
        contents.going += surplus
        for name in contents.going:
            for suffix in (".json", ".raw"):
                self._disk.remove(self._folder / f"{name}{suffix}")
        gone = Counter(map(stage_of, contents.going))
        contents.going.clear()
        return gone

    def _write(self, contents: _Contents, letter: DeadLetter) -> None:
        name = letter_name(letter)
        if name in contents.going:
            return  # written again it would be counted again, and another one would have to go for it
        if name in contents.index and not contents.is_doubtful and self._is_whole(name, letter.raw):
            return  # it may be durable already, so it must not be replaced by what is not
        note = _note(letter)
        for suffix, data in ((".raw", letter.raw), (".json", note)):
            path = self._folder / f"{name}{suffix}"
            temporary = path.with_name(f".{path.name}.tmp")
            self._disk.write_cached(temporary, data)
            self._disk.rename(temporary, path)
        contents.index.add(name, len(letter.raw) + len(note))

    def _is_whole(self, name: str, raw: bytes) -> bool:
        """Tell whether the letter stands as it should: a power cut may have left less of it."""
        try:
            json.loads(self._disk.read(self._folder / f"{name}.json"))
            return self._disk.read(self._folder / f"{name}.raw") == raw
        except (FileNotFoundError, ValueError):
            return False

    def _surplus(self, contents: _Contents, now: float) -> list[str]:
        surplus = contents.index.surplus(self._max_letters, self._max_bytes)
        if not surplus or now < contents.listed_at + LIST_AGAIN_SECONDS:
            return surplus
        contents.index.keep_only(self._names())  # the operator may have made room
        contents.listed_at = now
        return contents.index.surplus(self._max_letters, self._max_bytes)

    def _names(self) -> set[str]:
        """Return the names of the letters there are, without suffix."""
        try:
            names = self._disk.names(self._folder)
        except FileNotFoundError:
            return set()
        return {Path(name).stem for name in names if name.endswith(".json") and not name.startswith(".")}

    def _read_folder(self) -> _Contents:
        letters = []
        for name in self._names():
            with suppress(FileNotFoundError):  # the operator may just be removing it
                note = self._disk.status(self._folder / f"{name}.json")
                letters.append((note.modified, name, note.size + self._disk.status(self._folder / f"{name}.raw").size))
        index = LetterIndex((name, size) for _, name, size in sorted(letters))
        return _Contents(index, load_removed(self._disk, self._folder))


def letter_name(letter: DeadLetter) -> str:
    """Return the name of a letter's files, without suffix: inode, offset, stage, and a hash of the bytes (inodes get reused)."""
    content = hashlib.sha256(letter.raw).hexdigest()[:8]
    return f"{letter.position.inode:x}-{letter.position.offset:015d}-{letter.stage}-{content}"


def _note(letter: DeadLetter) -> bytes:
    note = {
        "time": _now(),
        "file": letter.position.path,
        "inode": letter.position.inode,
        "offset": letter.position.offset,
        "bytes": len(letter.raw),
        "stage": letter.stage,
        "reason": letter.reason,
        "traceback": letter.traceback,
    }
    return json.dumps(note, indent=1).encode()


def _log_stored(letters: Sequence[DeadLetter]) -> None:
    """Log one line for all letters of a stage and reason, whatever numbers stand in it: a flood of them must not flood the log."""
    alike: dict[tuple[str, str], list[DeadLetter]] = {}
    for letter in letters:
        alike.setdefault((letter.stage, _NUMBER.sub("#", letter.reason)), []).append(letter)
    for same in alike.values():
        first = same[0]
        more = {"lines": len(same)} if len(same) > 1 else {}
        place = {"file": first.position.path, "offset": first.position.offset}
        log.warning("line dead-lettered", stage=first.stage, reason=first.reason, **place, **more)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
