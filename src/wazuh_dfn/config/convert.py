"""Converting a configuration file: YAML to TOML and back, with its comments and the keys that are switched off by a `#`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import tomlkit
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode
from tomlkit.container import Container
from tomlkit.items import Comment, Whitespace
from tomlkit.items import Table as TomlTable

from wazuh_dfn.config.documents import FileFormat, KeyPath, file_format_of, parse_text, plain_toml, read_document
from wazuh_dfn.config.key_names import KNOWN_KEYS, SECTION_PATHS
from wazuh_dfn.config.layouts import Comments, Entry, Table, write_layout
from wazuh_dfn.config.yaml_documents import yaml_values
from wazuh_dfn.errors import ConfigurationError

_SWITCHED_OFF = re.compile(r"#\s?(?P<entry>(?P<name>\w+)\s*[=:]\s*\S.*)")
_AFTER_YAML_KEY = re.compile(r"\s*:\s*(#.*)?")
_AFTER_YAML_VALUE = re.compile(r"\s+(#.*)")


def convert_file(old: Path, new: Path) -> None:
    """Write what `old` says to `new`, in the format of its ending. It gets the permissions of `old`.

    Raises:
        ConfigurationError: A file can't be read or written, `new` exists already, or can't say the same.
    """
    file_format = file_format_of(new)
    document = read_document(old)
    text = convert(old.read_text(encoding="utf-8-sig"), file_format_of(old), file_format)
    if _without_null(parse_text(text, file_format) or {}) != _without_null(document.values):
        raise ConfigurationError(f"{old}: can't be said in {file_format.upper()} (anchors, merged or dotted keys?); write it plainly first")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, old.stat().st_mode & 0o777)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigurationError(f"{new}: exists already and is not overwritten; name another file, or remove it first") from None
    except OSError as error:
        raise ConfigurationError(f"{new}: can't be written ({error.strerror}); name another place") from error


def convert(text: str, old: FileFormat, new: FileFormat) -> str:
    """Return the text of a file in another format.

    Raises:
        tomlkit.exceptions.TOMLKitError, ruamel.yaml.error.YAMLError: The text is not in the `old` format.
    """
    return write_layout(_read_toml(text) if old == "toml" else _read_yaml(text), new)


def _without_null(value: Any) -> Any:
    """Return what TOML can say: no null. A table with nothing in it says nothing either, in YAML it is null."""
    if not isinstance(value, dict):
        return value
    said = {name: _without_null(inner) for name, inner in value.items()}
    return {name: inner for name, inner in said.items() if inner not in (None, {})}


class _Reading:
    """A layout that is being read: comments wait for the key or the table that they are about."""

    def __init__(self, read: Callable[[str], Table]) -> None:
        self.root = Table("")
        self.waiting: Comments = []
        self._read = read

    def table(self, path: KeyPath, beside: str) -> None:
        table = self.root.below(path)
        table.before += self._taken()
        table.beside = table.beside or beside

    def entry(self, path: KeyPath, entry: Entry) -> None:
        entry.before = self._taken()
        self.root.below(path).items.append(entry)

    def comment(self, line: str, tables: Iterable[KeyPath] = ()) -> None:
        """Take a comment, or the key that it switches off, if that is known in one of the tables."""
        match = _SWITCHED_OFF.fullmatch(line)
        path = next((path for path in tables if match and (*path, match["name"]) in KNOWN_KEYS), None)
        entry = self._switched_off(match["entry"]) if match and path is not None else None
        if path is None or entry is None:
            self.waiting.append(line)
        else:
            self.entry(path, entry)

    def end(self, path: KeyPath, count: int | None = None) -> None:
        """End a table with the first `count` of the comments that wait, or with all of them."""
        self.root.below(path).after += self.waiting[:count]
        self.waiting = [] if count is None else self.waiting[count:]

    def _switched_off(self, text: str) -> Entry | None:
        try:
            items = self._read(text).items
        except (ValueError, YAMLError):
            return None  # it is prose
        if len(items) != 1 or not isinstance(items[0], Entry):
            return None
        items[0].active = False
        return items[0]

    def _taken(self) -> Comments:
        taken, self.waiting = self.waiting, []
        return taken


def _read_toml(text: str) -> Table:
    reading = _Reading(_read_toml)
    _read_toml_table(tomlkit.parse(text), (), reading)
    reading.end(())
    return reading.root


def _read_toml_table(container: Container, path: KeyPath, reading: _Reading) -> None:
    for key, item in container.body:
        if isinstance(item, Whitespace):
            reading.waiting += [""] * item.s.count("\n")
        elif isinstance(item, Comment):
            reading.comment(item.trivia.comment, [path])
        elif isinstance(item, TomlTable) and key is not None:
            reading.table((*path, key.key), "" if item.is_super_table() else item.trivia.comment)
            _read_toml_table(item.value, (*path, key.key), reading)
        elif key is not None:
            reading.entry(path, Entry(key.key, plain_toml(item), beside=item.trivia.comment))
    # What is right above the head of the next table, after an empty line, is about that table.
    reading.end(path, max((number for number, line in enumerate(reading.waiting) if not line), default=None))


def _read_yaml(text: str) -> Table:
    return _YamlReader(text).read(yaml_values(text) or {})


class _YamlReader:
    """The parser reports where each key and value is. What is between them are comments."""

    def __init__(self, text: str) -> None:
        self._node = YAML(typ="safe", pure=True).compose(text)
        self._lines = text.split("\n")
        self._end = len(text.rstrip().split("\n"))
        self._in_values = set(_lines_of(self._node))
        self._next = 0
        self._open: list[tuple[int, KeyPath]] = [(-1, ())]
        """Tables that a comment may still belong to, with the columns of their names."""
        self._reading = _Reading(_read_yaml)

    def read(self, values: Mapping[str, Any]) -> Table:
        self._read_mapping(self._node, values, ())
        self._take_comments(self._end, 0)
        self._reading.end(())
        return self._reading.root

    def _read_mapping(self, node: Node | None, values: Mapping[str, Any], table: KeyPath) -> None:
        for key, value in node.value if isinstance(node, MappingNode) else ():
            self._take_comments(key.start_mark.line, key.start_mark.column)
            name, path = str(key.value), (*table, str(key.value))
            if name not in values:
                continue  # a merge key: what it brings is elsewhere in the file
            if _is_table(value, values[name], path):
                self._reading.table(path, self._beside(key, value))
                self._open.append((key.start_mark.column, path))
                self._read_mapping(value, values[name] or {}, path)
            else:
                self._reading.entry(table, Entry(name, values[name], beside=self._beside(key, value)))

    def _take_comments(self, line: int, column: int) -> None:
        """Take the comments above a line. Those indented deeper than a table that ends here belong to that table."""
        owner: KeyPath = ()
        owned = 0
        for number in range(self._next, line):
            text = self._lines[number]
            comment, indent = text.strip(), len(text) - len(text.lstrip())
            if number in self._in_values or (comment and not comment.startswith("#")):
                continue  # a value, or the beginning or end of a document
            self._reading.comment(comment, [path for _, path in reversed(self._open)])
            deeper = next((path for start, path in reversed(self._open) if column <= start < indent), None)
            owned = min(owned, len(self._reading.waiting))
            if comment and deeper is not None:
                owner, owned = deeper, len(self._reading.waiting)
        self._reading.end(owner, owned)
        self._next = max(self._next, line + 1)
        self._open = [(start, path) for start, path in self._open if start < column]

    def _beside(self, key: Node, value: Node) -> str:
        after_key = _AFTER_YAML_KEY.match(self._lines[key.end_mark.line], key.end_mark.column)
        if after_key and after_key[1]:
            return after_key[1]
        end = value.end_mark
        found = None if _is_block(value) else _AFTER_YAML_VALUE.match(self._lines[end.line], end.column)
        return found[1] if found else ""


def _lines_of(node: Node | None) -> Iterator[int]:
    """Yield the lines (from 0) of all values, among which no comments are looked for."""
    if isinstance(node, CollectionNode) and _is_block(node):
        for child in node.value:
            for part in child if isinstance(child, tuple) else (child,):
                yield from _lines_of(part)
    elif node is not None:
        yield from range(node.start_mark.line, node.end_mark.line + bool(node.end_mark.column))


def _is_block(node: Node) -> bool:
    """Whether a value goes on in the lines below its key."""
    return not node.flow_style if isinstance(node, CollectionNode) else isinstance(node, ScalarNode) and node.style in {"|", ">"}


def _is_table(node: Node, value: Any, path: KeyPath) -> bool:
    return (isinstance(node, MappingNode) and _is_block(node)) or (path in SECTION_PATHS and (value is None or isinstance(value, dict)))
