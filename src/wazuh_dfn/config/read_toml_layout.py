"""The layout of a TOML file: tomlkit keeps comments and empty lines in their order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.container import Container
from tomlkit.items import Comment, Item, Whitespace
from tomlkit.items import Table as TomlTable

from wazuh_dfn.config.keys import KeyPath
from wazuh_dfn.config.layout import Comments, Entry, Table, switched_off


def read_toml_layout(text: str, values: Mapping[str, Any]) -> Table:
    """Read the layout.

    Args:
        text: The file.
        values: What it says.
    """
    root = Table("")
    root.after += _read(tomlkit.parse(text), values, root, ())
    return root


def _read(container: Container, values: Mapping[str, Any], root: Table, path: KeyPath) -> Comments:
    """Read one table; returns the comments at its end that belong to the table after it."""
    pending: Comments = []
    for key, item in container.body:
        if isinstance(item, Whitespace):
            pending += [""] * item.s.count("\n")
        elif isinstance(item, Comment):
            pending.append(item.trivia.comment)
        elif isinstance(item, TomlTable) and key is not None:
            table = root.below((*path, key.key))
            table.before += pending
            table.beside = table.beside or ("" if item.is_super_table() else item.trivia.comment)
            pending = _read(item.value, values[key.key], root, (*path, key.key))
        elif key is not None:
            root.below(path).items.append(_entry(key.key, item, values, pending))
            pending = []
    own, following = _divided(pending, path)
    root.below(path).after += own
    return following


def _entry(name: str, item: Item, values: Mapping[str, Any], before: Comments) -> Entry:
    return Entry(name, values[name], before, item.trivia.comment)


def _divided(comments: Comments, path: KeyPath) -> tuple[Comments, Comments]:
    """What stands right above a table's head, after an empty line, is about that table; keys that are switched off are not."""
    first = 1 + max((number for number, line in enumerate(comments) if switched_off(line, path)), default=-1)
    last_empty = max((number for number, line in enumerate(comments) if not line and number >= first), default=len(comments))
    return comments[:last_empty], comments[last_empty:]
