"""A configuration file as it is laid out: tables, keys and comments in their order. It can be written as TOML or YAML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

import tomlkit
from ruamel.yaml import YAML
from tomlkit.items import Item

from wazuh_dfn.config.documents import FileFormat, KeyPath

Comments = list[str]
"""Lines of comments, each from its `#` on. An empty text is an empty line."""

_INDENT = "  "
_LONGEST = 10_000


@dataclass(slots=True)
class Entry:
    """A key with its value. `active` is False where the line is a comment, to be used by taking its `#` away."""

    name: str
    value: Any
    before: Comments = field(default_factory=list)
    beside: str = ""
    active: bool = True


@dataclass(slots=True)
class Table:
    """A table (the whole file, too, without a name). `after` are comments below its last key."""

    name: str
    before: Comments = field(default_factory=list)
    beside: str = ""
    items: list[Entry | Table] = field(default_factory=list)
    after: Comments = field(default_factory=list)

    def below(self, path: KeyPath) -> Table:
        """Return the table at `path` below this one. It is made where it is missing."""
        if not path:
            return self
        found = next((item for item in self.items if isinstance(item, Table) and item.name == path[0]), None)
        if found is None:
            found = Table(path[0])
            self.items.append(found)
        return found.below(path[1:])


def write_layout(root: Table, file_format: FileFormat) -> str:
    """Return the text of a configuration file."""
    lines = _yaml_lines(root, "") if file_format == "yaml" else _toml_lines(root, (), [])
    return "\n".join(lines).strip("\n") + "\n"


def _toml_lines(table: Table, path: KeyPath, above: Comments) -> Iterator[str]:
    """Write a table below the comments `above`: TOML wants its own keys before the tables below it."""
    tables = [item for item in table.items if isinstance(item, Table)]
    entries = [item for item in table.items if isinstance(item, Entry)]
    has_head = path and (entries or table.beside or table.after or not tables)
    comments = [*above, *table.before]
    if has_head:
        yield from comments if "" in comments else ["", *comments]
        yield _beside(f"[{'.'.join(map(_toml_key, path))}]", table.beside)
    for entry in entries:
        yield from entry.before
        is_active = entry.active and entry.value is not None
        yield _beside(f"{'' if is_active else '#'}{_toml_key(entry.name)} = {_toml_item(entry.value).as_string()}", entry.beside)
    if path:
        yield from table.after
    for number, inner in enumerate(tables):
        yield from _toml_lines(inner, (*path, inner.name), [] if has_head or number else comments)
    if not path:
        yield from table.after


def _toml_key(name: str) -> str:
    return tomlkit.key(name).as_string()


def _toml_item(value: Any) -> Item:
    """Return a value as TOML has it. It has no null, for which an empty text is written."""
    if isinstance(value, dict):
        table = tomlkit.inline_table()
        table.update({name: _toml_item(inner) for name, inner in value.items() if inner is not None})
        return table
    return tomlkit.item("" if value is None else value)


def _yaml_lines(table: Table, indent: str) -> Iterator[str]:
    for item in table.items:
        yield from _indented(item.before, indent)
        if isinstance(item, Table):
            yield _beside(f"{indent}{_yaml_entry(item.name, None).removesuffix(' null')}", item.beside)
            yield from _yaml_lines(item, indent + _INDENT)
        else:
            yield _beside(f"{indent}{'' if item.active else '#'}{_yaml_entry(item.name, item.value)}", item.beside)
    yield from _indented(table.after, indent)


def _indented(comments: Comments, indent: str) -> Iterator[str]:
    return (indent + line if line else "" for line in comments)


def _beside(line: str, comment: str) -> str:
    return f"{line}  {comment}" if comment else line


def _yaml_entry(name: str, value: Any) -> str:
    """Return a key with its value on one line, lists and tables in brackets."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = True
    yaml.width = _LONGEST
    yaml.allow_unicode = True
    stream = StringIO()
    yaml.dump({name: value}, stream)
    return stream.getvalue().strip().removeprefix("{").removesuffix("}")
