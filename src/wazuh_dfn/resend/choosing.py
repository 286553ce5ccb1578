"""Which of the dead letters: by name, by stage, by age; and groups of those that are alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from wazuh_dfn.errors import ConfigurationError
from wazuh_dfn.storage.kept_letters import KeptLetter

_NUMBER = re.compile(r"\d+")


def groups(letters: Iterable[KeptLetter]) -> dict[tuple[str, str], list[KeptLetter]]:
    """Group by stage and reason, whatever numbers stand in it; the largest group first."""
    found: dict[tuple[str, str], list[KeptLetter]] = {}
    for letter in letters:
        found.setdefault((letter.stage, _NUMBER.sub("#", letter.reason)), []).append(letter)
    return dict(sorted(found.items(), key=lambda group: -len(group[1])))


def named(letters: Sequence[KeptLetter], name: str) -> KeptLetter:
    """Return the letter of that name, or the only one whose name begins so.

    Raises:
        ConfigurationError: there is none, or there are several.
    """
    found = [letter for letter in letters if letter.name == name] or [letter for letter in letters if letter.name.startswith(name)]
    if len(found) != 1:
        what = f"{len(found)} dead letters begin with {name!r}" if found else f"there is no dead letter {name!r}"
        raise ConfigurationError(f'{what}; "wazuh-dfn dead-letters list --names" tells their names')
    return found[0]


def chosen(letters: Sequence[KeptLetter], names: Sequence[str], stages: Sequence[str], *, every: bool) -> list[KeptLetter]:
    """Return all letters that one of these means, in their order; raises ConfigurationError if nothing says which."""
    if not (names or stages or every):
        raise ConfigurationError("which dead letters? Give names, --stage STAGE, or --all")
    wanted = {named(letters, name).name for name in names}
    return [letter for letter in letters if every or letter.name in wanted or letter.stage in stages]


def is_older(letter: KeptLetter, days: float) -> bool:
    """Tell whether it was kept more than so many days ago; one whose time is not known was not."""
    try:
        kept_at = datetime.fromisoformat(letter.time)
    except ValueError:
        return False
    return kept_at < datetime.now(UTC) - timedelta(days=days)
