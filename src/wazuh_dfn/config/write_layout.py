"""Writing a layout as TOML or YAML."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import Any

import tomlkit
from ruamel.yaml import YAML
from tomlkit.container import Container
from tomlkit.items import Comment, Item, Trivia, Whitespace
from tomlkit.items import Table as TomlTable

from wazuh_dfn.config.document import FileFormat
from wazuh_dfn.config.layout import Comments, Table

_INDENT = "  "
_LONGEST = 10_000


def write_layout(root: Table, file_format: FileFormat) -> str:
    """The text of a configuration file."""
    if file_format == "yaml":
        return "\n".join(_yaml_lines(root, "")).rstrip("\n") + "\n"
    document = tomlkit.document()
    _fill(document, root)
    return tomlkit.dumps(document).rstrip("\n") + "\n"


def write_entry(name: str, value: Any, file_format: FileFormat) -> str:
    """One key with its value, on one line; TOML has no null, an empty text stands for it."""
    return _yaml_entry(name, value) if file_format == "yaml" else f"{_toml_key(name)} = {_toml_item(value).as_string()}"


def _fill(container: Container | TomlTable, table: Table) -> None:
    """Add what is in a table; TOML wants its own keys before the tables below it."""
    for entry in table.entries:
        _add_comments(container, entry.before)
        if entry.active and entry.value is not None:
            item = _toml_item(entry.value)
            if entry.beside:
                item.comment(entry.beside)
                item.trivia.comment_ws = _INDENT
            container.add(entry.name, item)
        else:
            _add_comments(container, [_beside("#" + write_entry(entry.name, entry.value, "toml"), entry.beside)])
    if isinstance(container, TomlTable):
        _add_comments(container, table.after)
    for inner in table.tables:
        _add_comments(container, inner.before)
        child = tomlkit.table()
        if inner.beside:
            child.comment(inner.beside)
            child.trivia.comment_ws = _INDENT
        _fill(child, inner)
        container.add(inner.name, child)
        if inner.before:
            child.trivia.indent = ""  # tomlkit would put an empty line between them
    if not isinstance(container, TomlTable):
        _add_comments(container, table.after)


def _add_comments(container: Container | TomlTable, comments: Comments) -> None:
    for line in comments:
        container.add(Comment(Trivia(comment_ws="", comment=line)) if line else Whitespace("\n"))


def _toml_key(name: str) -> str:
    return tomlkit.key(name).as_string()


def _toml_item(value: Any) -> Item:
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
    """A key with its value on one line, lists and tables in brackets."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = True
    yaml.width = _LONGEST
    yaml.allow_unicode = True
    stream = StringIO()
    yaml.dump({name: value}, stream)
    text = stream.getvalue().strip()
    return text.removeprefix("{").removesuffix("}")
