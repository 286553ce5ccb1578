"""Converting a configuration file: YAML to TOML and back, with its comments and the keys that are switched off by a `#`."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from wazuh_dfn.config.documents import Document, FileFormat, KeyPath, file_format_of, parse_document, read_document
from wazuh_dfn.config.layouts import Comments, Entry, Table, write_layout
from wazuh_dfn.config.settings import KNOWN_KEYS, SECTION_PATHS
from wazuh_dfn.errors import ConfigurationError

_SWITCHED_OFF = re.compile(r"#\s?(?P<entry>(?P<name>\w+)\s*[=:]\s*\S.*)")
_BESIDE: dict[FileFormat, re.Pattern[str]] = {
    "toml": re.compile(r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|[^"'#])*(#.*)"""),
    "yaml": re.compile(r"""(?:(?<=\w)'|"(?:\\.|[^"\\])*"|'[^']*'|[^"'#]|(?<=\S)#)*(?<!\S)(#.*)"""),
}
"""A line with a comment behind its value."""


def convert_file(old: Path, new: Path) -> None:
    """Write what `old` says to `new`, in the format of its ending. It gets the permissions of `old`.

    Raises:
        ConfigurationError: A file can't be read or written, `new` exists already, or can't say the same.
    """
    file_format = file_format_of(new)
    document = read_document(old)
    text = convert(old.read_text(encoding="utf-8-sig"), file_format_of(old), file_format)
    if _without_null(parse_document(new, text, file_format).values) != _without_null(document.values):
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
        ConfigurationError: The text is not in the `old` format.
    """
    return write_layout(_Reading(parse_document(Path(), text, old), old).read(text), new)


def _without_null(value: Any) -> Any:
    """Return what TOML can say: no null. A table with nothing in it says nothing either, in YAML it is null."""
    if not isinstance(value, dict):
        return value
    said = {name: _without_null(inner) for name, inner in value.items()}
    return {name: inner for name, inner in said.items() if inner not in (None, {})}


class _Reading:
    """A layout that is being read, line by line. Comments wait for the key or the table that they are about."""

    def __init__(self, document: Document, file_format: FileFormat) -> None:
        self._document = document
        self._format = file_format
        self._root = Table("")
        self._table: KeyPath = ()
        self._last: Entry | None = None
        self._waiting: list[tuple[int, str]] = []
        """Comments and empty lines, each with its indentation."""

    def read(self, text: str) -> Table:
        """Read all lines of the document's text."""
        starting: dict[int, list[KeyPath]] = defaultdict(list)
        for path, number in self._document.lines.items():
            starting[number].append(path)
        for number, line in enumerate(text.rstrip().split("\n"), 1):
            if number in starting:
                for path in starting[number]:
                    self._start(path, line)
            else:
                self._comment(line)
        self._end_table(0)
        self._root.after += self._taken()
        return self._root

    def _start(self, path: KeyPath, line: str) -> None:
        """Take a key or a table, unless a value that was taken holds it, or a merge key, which brings what is elsewhere in the file."""
        table = self._values_at(path[:-1])
        if path[-1] not in table:
            return
        value = table[path[-1]]
        if path[: len(self._table)] != self._table:
            self._end_table(len(line) - len(line.lstrip()))
        if self._is_table(path, value):
            found = self._root.below(path)
            found.before += self._taken()
            found.beside = found.beside or self._beside(line)
            self._table, self._last = path, None
        else:
            self._last = Entry(path[-1], value, self._taken(), self._beside(line))
            self._table = path[:-1]
            self._root.below(self._table).items.append(self._last)

    def _comment(self, line: str) -> None:
        """Take a comment, or the key of an open table that it switches off. Anything else is part of a value."""
        comment = line.strip()
        is_text = self._last is not None and isinstance(self._last.value, str) and comment in self._last.value
        if comment and (is_text or not comment.startswith("#")):
            return
        match = _SWITCHED_OFF.fullmatch(comment)
        tables = (self._table[:length] for length in range(len(self._table), 0, -1))
        table = next((table for table in tables if match and (*table, match["name"]) in KNOWN_KEYS), None)
        entry = self._switched_off(match["entry"], match["name"]) if match and table else None
        if table is None or entry is None:
            self._waiting.append((len(line) - len(line.lstrip()), comment))
        else:
            self._root.below(table).items.append(entry)

    def _switched_off(self, text: str, name: str) -> Entry | None:
        try:
            value = parse_document(Path(), text, self._format).values[name]
        except (ConfigurationError, KeyError):
            return None  # it is prose
        return Entry(name, value, self._taken(), self._beside(text), active=False)

    def _end_table(self, indent: int) -> None:
        """Leave to a table the comments at its end: those above the last empty line, and those indented deeper than the next key."""
        if self._table:
            ends = [number for number, (_, comment) in enumerate(self._waiting) if not comment]
            ends += [number for number, (depth, comment) in enumerate(self._waiting, 1) if comment and depth > indent]
            count = max(ends, default=0)
            self._root.below(self._table).after += [comment for _, comment in self._waiting[:count]]
            self._waiting = self._waiting[count:]

    def _taken(self) -> Comments:
        taken, self._waiting = self._waiting, []
        return [comment for _, comment in taken]

    def _values_at(self, path: KeyPath) -> dict[str, Any]:
        """Return what the document has in a table. It is empty if that is not a table of its own."""
        values: Any = self._document.values
        for length, name in enumerate(path, 1):
            values = values.get(name) if self._is_table(path[:length], values.get(name)) else None
            values = values or {}
        return dict(values)

    def _is_table(self, path: KeyPath, value: Any) -> bool:
        """Whether keys of a value are on lines of their own, or it is a section."""
        lines = self._document.lines
        inner = {number for key, number in lines.items() if len(key) > len(path) and key[: len(path)] == path}
        if path in SECTION_PATHS:
            return value in (None, {}) or (isinstance(value, dict) and bool(inner))
        return isinstance(value, dict) and bool(inner - {lines.get(path)})

    def _beside(self, line: str) -> str:
        found = _BESIDE[self._format].match(line)
        return found[1] if found else ""
