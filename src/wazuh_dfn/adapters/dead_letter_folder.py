"""The dead letters in a folder: for each line `NAME.raw` with its bytes and `NAME.json` with what happened."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import anyio
import structlog

from wazuh_dfn.delivery.ports import DeadLetter
from wazuh_dfn.tailing.disk import Disk, write_durably

RETRY_SECONDS = 5.0
PATIENCE_SECONDS = 10.0
"""After so long a file system that does not answer is a problem."""
log = structlog.get_logger(__name__)


class DeadLetterFolder:
    """Implements `DeadLetterStore`.

    The name is made of the line's place and the stage, so that a line stored again after a crash replaces itself.

    Args:
        folder: made if missing.
        disk: where it is.
        max_letters: more than these and the oldest is removed, with a warning.
    """

    def __init__(self, folder: Path, disk: Disk, max_letters: int) -> None:
        self._folder = folder
        self._disk = disk
        self._max_letters = max_letters
        self._names: dict[str, None] | None = None
        self._lock = anyio.Lock()
        self._problem: str | None = None
        self._writing_since: float | None = None

    @property
    def problem(self) -> str | None:
        """See `DeadLetterStore`."""
        if self._writing_since is not None and (seconds := anyio.current_time() - self._writing_since) >= PATIENCE_SECONDS:
            return f"the file system of {self._folder} has not answered for {seconds:.0f} s"
        return self._problem

    async def store(self, letter: DeadLetter) -> None:
        """See `DeadLetterStore`."""
        async with self._lock:
            removed = await self._store_patiently(letter)
        log.warning(
            "line dead-lettered", stage=letter.stage, reason=letter.reason, file=letter.position.path, offset=letter.position.offset
        )
        for name in removed:
            log.warning("dead-letter folder is full, the oldest was removed", removed=name, max_failed_files=self._max_letters)

    async def _store_patiently(self, letter: DeadLetter) -> list[str]:
        """Wait for room on the disk: without it the line can't be settled, and giving up would lose it."""
        while True:
            self._writing_since = anyio.current_time()
            try:
                removed = await self._disk.run_to_its_end(self._store, letter)
            except OSError as error:
                self._note_problem(str(error))
            else:
                self._problem = None
                return removed
            finally:
                self._writing_since = None
            await anyio.sleep(RETRY_SECONDS)

    def _note_problem(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            log.error("dead letter can't be written, waiting", folder=str(self._folder), reason=problem)

    def _store(self, letter: DeadLetter) -> list[str]:
        self._disk.make_folder(self._folder)
        if self._names is None:
            self._names = dict.fromkeys(path.stem for path in self._oldest_first())
        name = letter_name(letter)
        write_durably(self._disk, self._folder / f"{name}.raw", letter.raw)
        write_durably(self._disk, self._folder / f"{name}.json", _note(letter))
        self._names.setdefault(name)
        if len(self._names) > self._max_letters:  # the operator may have removed some
            present = set(self._disk.names(self._folder))
            self._names = {name: None for name in self._names if f"{name}.json" in present}
        removed = list(self._names)[: max(0, len(self._names) - self._max_letters)]
        for oldest in removed:
            del self._names[oldest]
            for suffix in (".json", ".raw"):
                self._disk.remove(self._folder / f"{oldest}{suffix}")
        self._disk.sync_folder(self._folder)
        return removed

    def _oldest_first(self) -> list[Path]:
        notes = [self._folder / name for name in self._disk.names(self._folder) if name.endswith(".json") and not name.startswith(".")]
        return sorted(notes, key=lambda path: self._disk.status(path).modified)


def letter_name(letter: DeadLetter) -> str:
    """Return the name of a letter's files, without suffix: inode, offset, stage, and a hash of the bytes (inodes get reused)."""
    content = hashlib.sha256(letter.raw).hexdigest()[:8]
    return f"{letter.position.inode:x}-{letter.position.offset:015d}-{letter.stage}-{content}"


def _note(letter: DeadLetter) -> bytes:
    note = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "file": letter.position.path,
        "inode": letter.position.inode,
        "offset": letter.position.offset,
        "bytes": len(letter.raw),
        "stage": letter.stage,
        "reason": letter.reason,
        "traceback": letter.traceback,
    }
    return json.dumps(note, indent=1).encode()
