"""Dead letters: lines that are settled without having been delivered, and the store that keeps them for the operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from wazuh_dfn.messages import Position

type Stage = str
"""Which step gave up a line: the router (`oversize`, `malformed`, `junk`), the actor of a kind (its name), the broker (`rejected`), or the
supervisor after several crashes (`poison`). `junk` is malformed too, and holds nothing that could be selected, were it whole.
"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A line that is settled without having been delivered."""

    position: Position
    """The line's first byte."""
    stage: Stage
    reason: str
    """In one line, which goes to the log too: it quotes nothing of the alert."""
    raw: bytes
    traceback: str | None = None
    """May quote the alert."""


@dataclass(frozen=True, slots=True)
class LetterCounts:
    """How many dead letters there are, by stage."""

    kept: Mapping[str, int]
    removed: Mapping[str, int]
    """Removed to make room, ever."""
    unseen: Mapping[str, int]
    """Of those, the ones that were removed since the operator last looked."""
    unseen_since: str = ""
    """When the first of them was, as ISO 8601."""


class DeadLetterStore(Protocol):
    """Where dead letters are kept for the operator."""

    @property
    def problem(self) -> str | None:
        """Why one can't be kept, for which `store` waits; None if nothing is wrong."""

    async def store(self, letters: Sequence[DeadLetter]) -> None:
        """Keep them durably; the same line and stage stored twice is kept once (a redelivered batch repeats it).

        While one can't be written (a full disk), this waits: no line is settled before.
        """

    async def counts(self) -> LetterCounts | None:
        """Count them, in a second at most; None if they are not counted, or can't be."""
