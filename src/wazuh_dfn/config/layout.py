"""A configuration file as it is laid out: tables, keys and comments in their order, independent of TOML or YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from wazuh_dfn.config.keys import KNOWN_KEYS, KeyPath

Comments = list[str]
"""Lines of comments, each from its `#` on; an empty text is an empty line."""

_SWITCHED_OFF = re.compile(r"#\s?(?P<entry>(?P<name>\w+)\s*[=:]\s*\S.*)")


def switched_off(line: str, path: KeyPath) -> str | None:
    """What the comment would say without its `#`, if that is a key of the table at `path`."""
    match = _SWITCHED_OFF.fullmatch(line)
    return match["entry"] if match and (*path, match["name"]) in KNOWN_KEYS else None


@dataclass(slots=True)
class Entry:
    """A key with its value; `active` is False where the line is a comment, to be used by taking its `#` away."""

    name: str
    value: Any
    before: Comments = field(default_factory=list)
    beside: str = ""
    active: bool = True


@dataclass(slots=True)
class Table:
    """A table (the whole file, too, without a name); `after` are comments below its last key."""

    name: str
    before: Comments = field(default_factory=list)
    beside: str = ""
    items: list[Entry | Table] = field(default_factory=list)
    after: Comments = field(default_factory=list)

    @property
    def entries(self) -> Iterator[Entry]:
        """The keys of this table itself."""
        return (item for item in self.items if isinstance(item, Entry))

    @property
    def tables(self) -> Iterator[Table]:
        """The tables right below this one."""
        return (item for item in self.items if isinstance(item, Table))

    def below(self, path: KeyPath) -> Table:
        """The table at `path` below this one; it is made where it is missing."""
        if not path:
            return self
        found = next((table for table in self.tables if table.name == path[0]), None)
        if found is None:
            found = Table(path[0])
            self.items.append(found)
        return found.below(path[1:])
