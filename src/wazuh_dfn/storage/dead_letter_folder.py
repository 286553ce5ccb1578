"""Dead letters in a folder: for each line `NAME.raw` with its bytes and `NAME.json` with the reason and its origin."""

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

from wazuh_dfn.delivery.dead_letter_store import DeadLetter, LetterCounts
from wazuh_dfn.storage.letter_index import LetterIndex, stage_of
from wazuh_dfn.storage.removed_letters import Removed, is_looked_at, load_removed, save_removed
from wazuh_dfn.tailing.disk import Disk
from wazuh_dfn.trouble import Trouble

RETRY_SECONDS = 5.0
PATIENCE_SECONDS = 10.0
"""Time after which a file system that does not answer is reported as a problem."""
LIST_AGAIN_SECONDS = 60.0
"""Minimum time between two listings of the folder, and after a listing that got no answer.

Listings show whether the operator has removed letters.
"""
LOOK_SECONDS = 1.0
_NUMBER = re.compile(r"\d+")
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Contents:
    """What is known of the folder's content."""

    index: LetterIndex
    removed: Removed
    listed_at: float = -inf
    """When the folder was last listed to find letters that the operator has removed."""
    going: list[str] = field(default_factory=list)
    """Letters that are counted as removed but not all removed yet."""
    is_doubtful: bool = False
    """Whether a sync failed. Data written before can look complete and still not be on the disk, even if the next sync succeeds."""


class DeadLetterFolder:
    """Implements `DeadLetterStore`.

    The name of a letter is derived from the line's position and content and from the stage, so a line stored again after a crash replaces
    itself.

    Args:
        folder: created if missing.
        disk: the disk that holds it.
        max_letters: maximum number of letters of a stage. Above it, the oldest of the stage are removed.
        max_bytes: maximum size of all letters. Above it, junk is removed first, then the oldest.
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
        """Why a letter cannot be kept (see `DeadLetterStore`)."""
        if self._writing_since is not None and (seconds := anyio.current_time() - self._writing_since) >= PATIENCE_SECONDS:
            return f"the file system of {self._folder} has not answered for {seconds:.0f} s"
        return self._trouble.reason

    async def store(self, letters: Sequence[DeadLetter]) -> None:
        """Keep letters durably (see `DeadLetterStore`)."""
        async with self._lock:
            removed = await self._store_patiently(letters)
        _log_stored(letters)
        if removed:
            limits = {"max_failed_files": self._max_letters, "max_failed_bytes": self._max_bytes}
            log.warning("dead-letter folder is full, the oldest were removed", removed=dict(removed), **limits)

    async def counts(self) -> LetterCounts | None:
        """Count the letters.

        See `DeadLetterStore`. If the file system does not answer, the last counts are returned.
        """
        now = anyio.current_time()
        if now < self._look_again_at or self._lock.locked():
            return self._counts
        async with self._lock:
            with suppress(OSError), anyio.move_on_after(LOOK_SECONDS) as patience:
                # it may finish after its caller has gone, so it changes nothing
                contents, names, seen = await self._disk.run(self._look, now)
                if names is not None:
                    contents.index.keep_only(names)
                    contents.listed_at = now
                self._contents = contents
                removed = contents.removed
                self._counts = LetterCounts(contents.index.counts, removed.removed, {} if seen else removed.news, removed.since)
            if patience.cancelled_caught:
                self._look_again_at = anyio.current_time() + LIST_AGAIN_SECONDS  # a question without an answer occupies a thread
        return self._counts

    def _look(self, now: float) -> tuple[_Contents, set[str] | None, bool]:
        known = self._contents
        contents = known or self._read_folder()
        names = None if known is None or now < known.listed_at + LIST_AGAIN_SECONDS else self._names()
        return contents, names, is_looked_at(self._disk, self._folder, contents.removed)

    async def _store_patiently(self, letters: Sequence[DeadLetter]) -> Counter[str]:
        """Store the letters, and retry while that fails.

        Without a stored letter the line cannot be settled, and giving up would lose it.
        """
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
        """Write all letters, make them durable together, then remove the surplus.

        Return the number of removed letters by stage.
        """
        self._disk.make_folder(self._folder)
        if self._contents is None:
            self._contents = self._read_folder()
        contents = self._contents
        for letter in letters:
            self._write(contents, letter)
        surplus = self._surplus(contents, now)
        removed = contents.removed
        if surplus:  # counted before they are removed, so that no removal goes uncounted
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
            return  # written again it would be counted again, and another letter would be removed for it
        if name in contents.index and not contents.is_doubtful and self._is_whole(name, letter.raw):
            return  # it may be durable already, so it must not be replaced by data that is not
        note = _note(letter)
        for suffix, data in ((".raw", letter.raw), (".json", note)):
            path = self._folder / f"{name}{suffix}"
            temporary = path.with_name(f".{path.name}.tmp")
            self._disk.write_cached(temporary, data)
            self._disk.rename(temporary, path)
        contents.index.add(name, len(letter.raw) + len(note))

    def _is_whole(self, name: str, raw: bytes) -> bool:
        """Return whether the letter is complete, because a power cut may have truncated it."""
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
        """Return the names of the existing letters, without suffix."""
        try:
            names = self._disk.names(self._folder)
        except FileNotFoundError:
            return set()
        return {Path(name).stem for name in names if name.endswith(".json") and not name.startswith(".")}

    def _read_folder(self) -> _Contents:
        letters = []
        for name in self._names():
            with suppress(FileNotFoundError):  # the operator may be removing it right now
                note = self._disk.status(self._folder / f"{name}.json")
                letters.append((note.modified, name, note.size + self._disk.status(self._folder / f"{name}.raw").size))
        index = LetterIndex((name, size) for _, name, size in sorted(letters))
        return _Contents(index, load_removed(self._disk, self._folder))


def letter_name(letter: DeadLetter) -> str:
    """Return the name of a letter's files without suffix: inode, offset, stage, and a hash of the bytes, because inodes are reused."""
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
    """Log one line for all letters of the same stage and reason, ignoring numbers in the reason.

    This way many letters do not flood the log.
    """
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
