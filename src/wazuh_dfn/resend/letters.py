"""The dead letters as one file with one line each, which the pipeline reads, and the outcome for each letter."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from wazuh_dfn.delivery.dead_letter_store import DeadLetter
from wazuh_dfn.lines.torn import alerts_on
from wazuh_dfn.messages import LINE_LIMIT_BYTES, Position
from wazuh_dfn.storage.kept_letters import Failure, KeptLetter, KeptLetters
from wazuh_dfn.tailing.contents import Content
from wazuh_dfn.tailing.disk import Status

TORN_STAGES = frozenset({"malformed", "junk", "oversize"})
"""Stages of lines that cannot be sent as they are."""


class LettersFile(Content):
    """The content of an `AlertFile` made of dead letters.

    A letter is read only when its turn comes. A letter that is gone by then is read as a blank line. So is a letter that the daemon found
    malformed or too long and that nobody has fixed: the whole alerts on it were delivered already, and the rest cannot be.
    """

    is_packed = True
    """It is complete, and no writer changes it."""
    damage = None

    def __init__(self, letters: Sequence[KeptLetter], kept: KeptLetters) -> None:
        self.letters = letters
        self.ends = list(accumulate(letter.bytes + 1 for letter in letters))
        """Offset after the line feed of each letter."""
        self.torn: dict[int, str] = {}
        """Letters that were read and cannot be sent: index, and what is wrong."""
        self._kept = kept

    def index_at(self, offset: int) -> int:
        """Return the index of the letter that contains that byte."""
        return bisect_right(self.ends, offset)

    def size(self) -> int:
        """See `Content`."""
        return self.ends[-1] if self.ends else 0

    def status(self) -> Status:
        """See `Content`."""
        return Status(0, 0, self.size(), 0.0, 1)

    def close(self) -> None:
        """See `Content`."""

    def read(self, offset: int, limit: int) -> bytes:
        """See `Content`."""
        index = self.index_at(offset)
        begin = self.ends[index - 1] if index else 0
        parts: list[bytes] = []
        size = begin - offset
        while size < limit and index < len(self.letters):
            parts.append(self._line(index))
            size += len(parts[-1])
            index += 1
        return b"".join(parts)[offset - begin :][:limit]

    def _line(self, index: int) -> bytes:
        letter = self.letters[index]
        raw = self._kept.raw(letter) or b""
        if raw and letter.stage in TORN_STAGES and (problem := _problem(raw)) is not None:
            self.torn[index] = problem
            raw = b""
        return raw[: letter.bytes].ljust(letter.bytes) + b"\n"


def _problem(raw: bytes) -> str | None:
    if len(raw) >= LINE_LIMIT_BYTES:
        return f"longer than {LINE_LIMIT_BYTES // 2**20} MiB"
    return alerts_on(raw).problem


class Retry:
    """Implements `DeadLetterStore` for letters that fail again.

    A letter is removed once the broker has acknowledged all of it.
    """

    problem: str | None = None

    def __init__(self, file: LettersFile, kept: KeptLetters) -> None:
        self.delivered: list[KeptLetter] = []
        self.failed: list[tuple[KeptLetter, Failure]] = []
        self.not_selected: list[KeptLetter] = []
        self._file = file
        self._kept = kept
        self._failures: dict[int, Failure] = {}
        self._acknowledged: set[int] = set()

    @property
    def done(self) -> int:
        """Number of letters that are settled in any way.

        They are the first ones.
        """
        return len(self.delivered) + len(self.failed) + len(self.not_selected)

    @property
    def left(self) -> Sequence[KeptLetter]:
        """Letters that were not settled."""
        return self._file.letters[self.done :]

    async def counts(self) -> None:
        """See `DeadLetterStore`."""

    async def store(self, letters: Sequence[DeadLetter]) -> None:
        """See `DeadLetterStore`."""
        for letter in letters:
            self._failures[self._file.index_at(letter.position.offset)] = Failure(letter.stage, letter.reason, letter.traceback)

    def acknowledged(self, offset: int) -> None:
        """Record that the broker has acknowledged a record of the line at this offset."""
        self._acknowledged.add(self._file.index_at(offset))

    def settled(self, position: Position | None) -> None:
        """Update the letters up to this position, all of which are settled.

        Delivered letters are removed. The new failure of a letter is written to its note.
        """
        removed: list[KeptLetter] = []
        for index in range(self.done, self._file.index_at(position.offset) if position is not None else 0):
            letter = self._file.letters[index]
            if index in self._file.torn:
                self.failed.append((letter, Failure(letter.stage, self._file.torn[index])))
            elif index in self._failures:
                self._kept.note_failure(letter, self._failures[index])
                self.failed.append((letter, self._failures[index]))
            elif index in self._acknowledged:
                removed.append(letter)
                self.delivered.append(letter)
            else:
                self.not_selected.append(letter)
        if removed:
            self._kept.remove(removed)
