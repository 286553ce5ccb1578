"""Dead letters, which are lines settled without having been delivered, and the store that keeps them for the operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from wazuh_dfn.messages import Position

type Stage = str
"""The step that gave up a line.

- `oversize`, `malformed`, `junk`: the router.
- The name of a kind: the actor of that kind.
- `rejected`: the broker.
- `poison`: the supervisor, after several crashes.

`junk` is a malformed line that holds nothing that could be selected if it were whole.
"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A line that is settled without having been delivered."""

    position: Position
    """Position of the first byte of the line."""
    stage: Stage
    reason: str
    """One line of text, which is also logged and quotes nothing of the alert."""
    raw: bytes
    traceback: str | None = None
    """May quote the alert."""


@dataclass(frozen=True, slots=True)
class LetterCounts:
    """Number of dead letters, by stage."""

    kept: Mapping[str, int]
    removed: Mapping[str, int]
    """Number of letters ever removed to make room."""
    unseen: Mapping[str, int]
    """Number of these that were removed since the operator last looked."""
    unseen_since: str = ""
    """Time when the first of these was removed, in ISO 8601."""


class DeadLetterStore(Protocol):
    """Keeps dead letters for the operator."""

    @property
    def problem(self) -> str | None:
        """Why a letter cannot be kept, so that `store` waits, or None if nothing is wrong."""

    async def store(self, letters: Sequence[DeadLetter]) -> None:
        """Keep the letters durably.

        A line and stage that is stored twice is kept once, because a redelivered batch repeats it. While a letter cannot be written (a full
        disk), this waits, and no line is settled before.
        """

    async def counts(self) -> LetterCounts | None:
        """Count the letters within a second.

        Return None if they are not counted, or cannot be.
        """
