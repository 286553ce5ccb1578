"""Selection of dead letters by name, stage or age, and groups of similar ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from wazuh_dfn.errors import ConfigurationError
from wazuh_dfn.storage.kept_letters import KeptLetter

_NUMBER = re.compile(r"\d+")


def groups(letters: Iterable[KeptLetter]) -> dict[tuple[str, str], list[KeptLetter]]:
    """Group by stage and reason, ignoring numbers in the reason, the largest group first."""
    found: dict[tuple[str, str], list[KeptLetter]] = {}
    for letter in letters:
        found.setdefault((letter.stage, _NUMBER.sub("#", letter.reason)), []).append(letter)
    return dict(sorted(found.items(), key=lambda group: -len(group[1])))


def named(letters: Sequence[KeptLetter], name: str) -> KeptLetter:
    """Return the letter of that name, or the only one whose name begins with it.

    Raises:
        ConfigurationError: no letter or several letters match.
    """
    found = [letter for letter in letters if letter.name == name] or [letter for letter in letters if letter.name.startswith(name)]
    if len(found) != 1:
        what = f"{len(found)} dead letters begin with {name!r}" if found else f"there is no dead letter {name!r}"
        raise ConfigurationError(f'{what}; "wazuh-dfn dead-letters list --names" tells their names')
    return found[0]


def chosen(letters: Sequence[KeptLetter], names: Sequence[str], stages: Sequence[str], *, every: bool) -> list[KeptLetter]:
    """Return all letters that match any of the criteria, in their order.

    Raises:
        ConfigurationError: no criterion is given, or a name does not match exactly one letter.
    """
    if not (names or stages or every):
        raise ConfigurationError("which dead letters? Give names, --stage STAGE, or --all")
    wanted = {named(letters, name).name for name in names}
    return [letter for letter in letters if every or letter.name in wanted or letter.stage in stages]


def is_older(letter: KeptLetter, days: float) -> bool:
    """Return whether a letter was kept more than that many days ago.

    It is False for an unknown time.
    """
    try:
        kept_at = datetime.fromisoformat(letter.time)
    except ValueError:
        return False
    return kept_at < datetime.now(UTC) - timedelta(days=days)
