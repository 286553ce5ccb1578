"""A value, where it came from, and the nesting of values by section."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wazuh_dfn.config.keys import KeyPath


@dataclass(frozen=True, slots=True)
class Given:
    """A value and where it came from (`FILE:LINE`, an environment variable, a flag); `places` is that of each key of a table."""

    value: Any
    place: str
    places: Mapping[str, str] = field(default_factory=dict)


def nested(values: Mapping[KeyPath, Any]) -> dict[str, Any]:
    """Values by section, as files and models have them."""
    tables: dict[str, Any] = {}
    for (*sections, key), value in values.items():
        table = tables
        for section in sections:
            table = table.setdefault(section, {})
        table[key] = value
    return tables


def flattened(tables: Mapping[str, Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Given]]:
    """The opposite of `nested`, down to what was given."""
    for name, value in tables.items():
        if isinstance(value, Given):
            yield (*path, name), value
        else:
            yield from flattened(value, (*path, name))
