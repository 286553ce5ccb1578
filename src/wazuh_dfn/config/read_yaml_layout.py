"""The layout of a YAML file: ruamel.yaml tells where each key and value stands, what is between them are comments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

from wazuh_dfn.config.keys import SECTION_PATHS, KeyPath
from wazuh_dfn.config.layout import Comments, Entry, Table

_AFTER_KEY = re.compile(r"\s*:\s*(#.*)?")
_AFTER_VALUE = re.compile(r"\s+(#.*)")


def read_yaml_layout(text: str, values: Mapping[str, Any]) -> Table:
    """Read the layout.

    Args:
        text: The file.
        values: What it says.
    """
    return _Reader(text.split("\n")).read(YAML(typ="safe", pure=True).compose(text), values)


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._next = 0
        self._open: list[tuple[int, Table]] = []
        """Tables that a comment may still belong to, with the columns of their names."""

    def read(self, node: Node | None, values: Mapping[str, Any]) -> Table:
        root = Table("")
        self._mapping(node, values, root, ())
        while self._lines and not self._lines[-1].strip():
            self._lines.pop()
        root.after += self._comments_until(len(self._lines), 0)
        return root

    def _mapping(self, node: Node | None, values: Mapping[str, Any], table: Table, path: KeyPath) -> None:
        for key, value in node.value if isinstance(node, MappingNode) else ():
            before = self._comments_until(key.start_mark.line, key.start_mark.column)
            self._next = key.start_mark.line + 1
            name = str(key.value)
            if name not in values:
                continue  # a merge key: what it brings stands elsewhere in the file
            if _is_table(value, values[name], (*path, name)):
                inner = Table(name, before, self._beside(key, value))
                self._open.append((key.start_mark.column, inner))
                self._mapping(value, values[name] or {}, inner, (*path, name))
                table.items.append(inner)
            else:
                table.items.append(Entry(name, values[name], before, self._beside(key, value)))
            self._next = max(self._next, _last_line(key, value) + 1)

    def _comments_until(self, line: int, column: int) -> Comments:
        """Take the comments above a line; those indented deeper than a table that ends here belong to that table."""
        comments: Comments = []
        for text in self._lines[self._next : line]:
            comment, indent = text.strip(), len(text) - len(text.lstrip())
            if comment and not comment.startswith("#"):
                continue  # the beginning or end of a document
            owner = next((table for start, table in reversed(self._open) if column <= start < indent), None)
            if comment and owner is not None and not any(comments):
                owner.after += [*comments, comment]
                comments = []
            else:
                comments.append(comment)
        self._next = max(self._next, line)
        self._open = [(start, table) for start, table in self._open if start < column]
        return comments

    def _beside(self, key: Node, value: Node) -> str:
        mark = key.end_mark
        after_key = _AFTER_KEY.match(self._lines[mark.line], mark.column)
        if after_key and after_key[1]:
            return after_key[1]
        end = value.end_mark
        found = None if _is_block(value) else _AFTER_VALUE.match(self._lines[end.line], end.column)
        return found[1] if found else ""


def _is_block(node: Node) -> bool:
    """Whether a value goes on in the lines below its key."""
    return not node.flow_style if isinstance(node, CollectionNode) else isinstance(node, ScalarNode) and node.style in {"|", ">"}


def _is_table(node: Node, value: Any, path: KeyPath) -> bool:
    return (isinstance(node, MappingNode) and _is_block(node)) or (path in SECTION_PATHS and (value is None or isinstance(value, dict)))


def _last_line(key: Node, value: Node) -> int:
    """The line on which a value ends; the parser's own mark is behind the comments that follow."""
    if isinstance(value, CollectionNode) and _is_block(value) and value.value:
        last = value.value[-1]
        return _last_line(*last) if isinstance(last, tuple) else _last_line(last, last)
    if value.start_mark.index == value.end_mark.index:
        return int(key.start_mark.line)
    end = value.end_mark
    return int(end.line if end.column else end.line - 1)
