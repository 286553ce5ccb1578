"""On which line of a TOML file each key stands (tomlkit doesn't tell)."""

from __future__ import annotations

import re
from collections.abc import Iterator

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_NAME = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*\[\[?\s*(?P<name>{_NAME})\s*\]")
_KEY = re.compile(rf"\s*(?P<name>{_NAME})\s*=(?P<value>.*)")
_QUOTES = ('"""', "'''")


def toml_lines(text: str) -> dict[tuple[str, ...], int]:
    """Find the line, counted from 1, on which each table and each key of `text` first stands."""
    lines: dict[tuple[str, ...], int] = {}
    for path, number in _occurrences(text):
        lines.setdefault(path, number)
    return lines


def line_of_repeated_key(text: str) -> int | None:
    """The line, counted from 1, of the first key that stands there for the second time."""
    seen = set()
    for path, number in _occurrences(text):
        if path in seen:
            return number
        seen.add(path)
    return None


def _occurrences(text: str) -> Iterator[tuple[tuple[str, ...], int]]:
    table: tuple[str, ...] = ()
    closing: str | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if closing is not None:
            closing = None if closing in line else closing
        elif header := _HEADER.match(line):
            table = _parts(header["name"])
            yield table, number
        elif key := _KEY.match(line):
            yield table + _parts(key["name"]), number
            closing = next((quote for quote in _QUOTES if key["value"].count(quote) == 1), None)


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, name))
