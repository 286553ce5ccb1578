"""Reading a configuration file, TOML or YAML, with the line of each key.

What reads YAML is imported where it is needed: most files are TOML, and the daemon starts sooner without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import tomlkit
import tomlkit.items
from tomlkit.exceptions import ParseError, TOMLKitError

from wazuh_dfn.errors import ConfigurationError

KeyPath = tuple[str, ...]
"""A section and a key in it, like `("kafka", "timeout")`, or `("health", "api", "port")` for the one section within another."""

FileFormat = Literal["toml", "yaml"]
"""The formats of a configuration file."""

_FORMATS: dict[str, FileFormat] = {".toml": "toml", ".yaml": "yaml", ".yml": "yaml"}
_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_NAME = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*\[\[?\s*(?P<name>{_NAME})\s*\]")
_KEY = re.compile(rf"\s*(?P<name>{_NAME})\s*=(?P<value>.*)")
_QUOTES = ('"""', "'''")


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says: `values` are plain Python values, `lines` (counted from 1) is where a table or key first occurs."""

    path: Path
    values: Mapping[str, Any]
    lines: Mapping[KeyPath, int]

    def place(self, key: KeyPath) -> str:
        """Return `FILE:LINE` of the key, of the nearest table around it, or just the file."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.lines:
                return f"{self.path}:{self.lines[key[:length]]}"
        return str(self.path)


@dataclass(frozen=True, slots=True)
class Given:
    """A value and where it came from (`FILE:LINE`, an environment variable, a flag). `places` is that of each key of a table."""

    value: Any
    place: str
    places: Mapping[str, str] = field(default_factory=dict)


def dotted(path: KeyPath) -> str:
    """Return the key as messages write it: `section.key`."""
    return ".".join(path)


def read_document(path: Path, file_format: FileFormat | None = None) -> Document:
    """Read a configuration file.

    Args:
        path: The file, UTF-8.
        file_format: Its format, None to go by the file's ending.

    Raises:
        ConfigurationError: The file is missing, unreadable, broken, or no table. The text is one line that says what to do.
    """
    return parse_document(path, _read_text(path), file_format or file_format_of(path))


def parse_document(path: Path, text: str, file_format: FileFormat) -> Document:
    """Return what the text of a file says. Raises ConfigurationError if it is broken, or no table."""
    if file_format == "toml":
        values, lines = _read_toml(path, text)
    else:
        from wazuh_dfn.config.yaml_documents import read_yaml  # noqa: PLC0415

        values, lines = read_yaml(path, text)
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ConfigurationError(
            f"{path}:1: the file holds no sections; write sections like dfn and wazuh with keys in them, as in the sample file"
        )
    return Document(path, values, lines)


def file_format_of(path: Path) -> FileFormat:
    """Return the format by the ending of a file.

    Raises:
        ConfigurationError: It is not an ending of a format.
    """
    chosen = _FORMATS.get(path.suffix.lower())
    if chosen is None:
        raise ConfigurationError(
            f"{path}: the ending does not tell the format; name the file .toml or .yaml, or give --config-format toml|yaml"
        )
    return chosen


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: there is no such file; name yours with --config PATH, or start from a sample file") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: byte {error.start} is no UTF-8; save the file as UTF-8") from error
    except OSError as error:
        raise ConfigurationError(
            f"{path}: can't be read ({error.strerror}); mend its permissions, or name another file with --config PATH"
        ) from error


def _read_toml(path: Path, text: str) -> tuple[Any, dict[KeyPath, int]]:
    first: dict[KeyPath, int] = {}
    repeated = [number for key, number in _toml_keys(text) if first.setdefault(key, number) != number]
    try:
        return _plain_toml(tomlkit.parse(text)), first
    except ParseError as error:
        reason = re.sub(r" at line \d+ col \d+$", "", str(error)).rstrip(".")
        raise ConfigurationError(f"{path}:{error.line}: this is no TOML (column {error.col}): {reason}; mend this line") from error
    except (TOMLKitError, ValueError) as error:
        place = f"{path}:{repeated[0]}" if repeated else str(path)
        raise ConfigurationError(f"{place}: this is no TOML: {str(error).rstrip('.')}; mend this line") from error


def _toml_keys(text: str) -> Iterator[tuple[KeyPath, int]]:
    """Find the lines of all tables and keys, which tomlkit doesn't keep."""
    table: KeyPath = ()
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


def _parts(name: str) -> KeyPath:
    return tuple(part.strip("\"'") for part in re.findall(_PART, name))


def _plain_toml(item: Any) -> Any:
    """Return a value of tomlkit in plain Python types. A number with a plus sign is a text, as the sign means something in event ids."""
    if isinstance(item, Mapping):
        return {str(key): _plain_toml(value) for key, value in item.items()}
    if isinstance(item, list):
        return [_plain_toml(value) for value in item]
    if isinstance(item, tomlkit.items.Integer) and item.as_string().startswith("+"):
        return item.as_string()
    return item.unwrap() if isinstance(item, tomlkit.items.Item) else item
