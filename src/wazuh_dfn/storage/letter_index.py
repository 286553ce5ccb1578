"""An index of a folder of dead letters in memory, so that storing a letter needs no listing of the folder, however full it is."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from itertools import chain, count, islice
from typing import NamedTuple

from wazuh_dfn.kinds.catalogue import dead_letter_stages

_JUNK = "junk"
_STAGE_PART = 2


class _Entry(NamedTuple):
    age: int
    """Lower is older."""
    name: str
    bytes: int


class LetterIndex:
    """Names and sizes of letters by stage, the oldest first."""

    def __init__(self, letters: Iterable[tuple[str, int]] = ()) -> None:
        self.bytes = 0
        """Total size of all letters."""
        self._stages: dict[str, OrderedDict[str, _Entry]] = {}
        self._ages = count()
        for name, size in letters:
            self.add(name, size)

    def __contains__(self, name: str) -> bool:
        return name in self._stages.get(stage_of(name), {})

    @property
    def counts(self) -> dict[str, int]:
        """Number of letters of each stage."""
        return {stage: len(letters) for stage, letters in self._stages.items() if letters}

    def add(self, name: str, size: int) -> None:
        """Add a letter of that size in bytes.

        A known letter keeps its age.
        """
        letters = self._stages.setdefault(stage_of(name), OrderedDict())
        known = letters.get(name)
        self.bytes += size - (known.bytes if known is not None else 0)
        letters[name] = _Entry(known.age if known is not None else next(self._ages), name, size)

    def remove(self, names: Iterable[str]) -> None:
        """Remove letters from the index."""
        for name in names:
            self.bytes -= self._stages[stage_of(name)].pop(name).bytes

    def keep_only(self, names: Collection[str]) -> None:
        """Remove all other letters from the index."""
        self.remove([name for letters in self._stages.values() for name in letters if name not in names])

    def surplus(self, max_letters: int, max_bytes: int) -> list[str]:
        """Return the names of the letters over the limits.

        Over `max_letters` of a stage, those are its oldest. Over `max_bytes` of all stages, those are junk first, then the oldest.
        """
        over = {stage: max(0, len(letters) - max_letters) for stage, letters in self._stages.items()}
        surplus = [entry for stage, letters in self._stages.items() for entry in islice(letters.values(), over[stage])]
        left = self.bytes - sum(entry.bytes for entry in surplus)
        for entry in self._expendable(over):
            if left <= max_bytes:
                break
            surplus.append(entry)
            left -= entry.bytes
        return [entry.name for entry in surplus]

    def _expendable(self, skipped: dict[str, int]) -> Iterator[_Entry]:
        """Yield letters in the order in which they are removed for their size."""
        rest = {stage: islice(letters.values(), skipped[stage], None) for stage, letters in self._stages.items()}
        junk = rest.pop(_JUNK, iter(()))
        return chain(junk, heapq.merge(*rest.values()))


def stage_of(name: str) -> str:
    """Return the stage of a letter at the time it was kept, by its name.

    It is "unknown" if the name has none.
    """
    parts = name.split("-")
    return parts[_STAGE_PART] if len(parts) > _STAGE_PART and parts[_STAGE_PART] in dead_letter_stages() else "unknown"
