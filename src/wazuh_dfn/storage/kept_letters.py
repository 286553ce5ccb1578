"""Operations of the operator on the letters of a `DeadLetterFolder`: list, read, remove, note another failure.

All methods block.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wazuh_dfn.errors import DeadLettersUnusableError
from wazuh_dfn.storage.removed_letters import Removed, is_looked_at, load_removed, mark_looked_at
from wazuh_dfn.tailing.disk import Disk, write_durably


@dataclass(frozen=True, slots=True)
class KeptLetter:
    """One dead letter: the content of its `NAME.json`, and the size of its `NAME.raw` in bytes."""

    name: str
    bytes: int
    time: str = ""
    """When it was kept, in ISO 8601 and UTC."""
    file: str = ""
    inode: int = 0
    offset: int = 0
    stage: str = "unknown"
    reason: str = "its note can't be read"
    traceback: str | None = None
    retries: int = 0
    retried: str | None = None
    """When it was last retried without success, in ISO 8601 and UTC."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a retried letter stays in the folder (see `DeadLetter`)."""

    stage: str
    reason: str
    traceback: str | None = None


class KeptLetters:
    """The folder, to which a running daemon may be writing.

    All methods raise DeadLettersUnusableError if it cannot be used.
    """

    def __init__(self, folder: Path, disk: Disk) -> None:
        self.folder = folder
        self._disk = disk

    def all(self) -> list[KeptLetter]:
        """Return all letters, the oldest first, or none if there is no folder."""
        with self._usable():
            try:
                names = self._disk.names(self.folder)
            except FileNotFoundError:
                return []
            letters = [self._read(Path(name).stem) for name in names if name.endswith(".json") and not name.startswith(".")]
        return sorted((letter for letter in letters if letter is not None), key=lambda letter: (letter.time, letter.name))

    def raw(self, letter: KeptLetter) -> bytes | None:
        """Return the bytes of the line, or None if the letter is gone by now."""
        with self._usable():
            try:
                return self._disk.read(self._path(letter.name, ".raw"))
            except FileNotFoundError:
                return None

    def remove(self, letters: Iterable[KeptLetter]) -> None:
        """Remove letters for good."""
        with self._usable():
            for letter in letters:
                for suffix in (".json", ".raw"):
                    self._disk.remove(self._path(letter.name, suffix))
            self._disk.sync_folder(self.folder)

    def removed(self) -> Removed | None:
        """Return the counts of letters removed to make room, or None if the operator has looked at all of them."""
        with self._usable():
            removed = load_removed(self._disk, self.folder)
            return None if is_looked_at(self._disk, self.folder, removed) else removed

    def mark_looked_at(self, removed: Removed) -> None:
        """Record that the operator has looked at these counts.

        A running daemon notices it.
        """
        with self._usable():
            mark_looked_at(self._disk, self.folder, removed)

    def note_failure(self, letter: KeptLetter, failure: Failure) -> None:
        """Write the new stage and reason into the note of a letter that was retried."""
        note = asdict(letter)
        del note["name"]
        note |= asdict(failure)
        note |= {"retries": letter.retries + 1, "retried": datetime.now(UTC).isoformat(timespec="milliseconds")}
        with self._usable():
            write_durably(self._disk, self._path(letter.name, ".json"), json.dumps(note, indent=1).encode())
            self._disk.sync_folder(self.folder)

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DeadLettersUnusableError(f"the dead letters in {self.folder} can't be read or changed: {error}") from error

    def _read(self, name: str) -> KeptLetter | None:
        """Return the letter, or None if it is gone by now."""
        try:
            size = self._disk.status(self._path(name, ".raw")).size
            note = json.loads(self._disk.read(self._path(name, ".json")))
            known: dict[str, Any] = {field.name: note[field.name] for field in fields(KeptLetter) if field.name in note}
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            return KeptLetter(name, size)
        return KeptLetter(**(known | {"name": name, "bytes": size}))

    def _path(self, name: str, suffix: str) -> Path:
        return self.folder / f"{name}{suffix}"
