"""Reading a configuration file, TOML or YAML, with the line of each key.

What reads YAML is imported where it is needed: most files are TOML, and the daemon starts sooner without it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tomlkit
import tomlkit.items
from tomlkit.exceptions import ParseError, TOMLKitError

from wazuh_dfn.config.toml_lines import line_of_repeated_key, toml_lines
from wazuh_dfn.errors import ConfigurationError

FileFormat = Literal["toml", "yaml"]
"""The formats of a configuration file."""

_FORMATS: dict[str, FileFormat] = {".toml": "toml", ".yaml": "yaml", ".yml": "yaml"}


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says: `values` are plain Python values, `lines` tells (counted from 1) where a table or key stands."""

    path: Path
    values: Mapping[str, Any]
    lines: Mapping[tuple[str, ...], int]

    def place(self, key: tuple[str, ...]) -> str:
        """`FILE:LINE` of the key, of the nearest table around it, or just the file."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.lines:
                return f"{self.path}:{self.lines[key[:length]]}"
        return str(self.path)


def read_document(path: Path, file_format: FileFormat | None = None) -> Document:
    """Read a configuration file.

    Args:
        path: The file, UTF-8.
        file_format: Its format; None tells it by the file's ending.

    Raises:
        ConfigurationError: The file is missing, unreadable, broken, or no table; one line that says what to do.
    """
    chosen = file_format or file_format_of(path)
    text = _read_text(path)
    values, lines = _read_toml(path, text) if chosen == "toml" else _read_yaml(path, text)
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ConfigurationError(
            f"{path}:1: the file holds no sections; write sections like dfn and wazuh with keys in them, as in the sample file"
        )
    return Document(path, values, lines)


def file_format_of(path: Path) -> FileFormat:
    """The format that the ending of a file tells.

    Raises:
        ConfigurationError: It tells none.
    """
    chosen = _FORMATS.get(path.suffix.lower())
    if chosen is None:
        raise ConfigurationError(
            f"{path}: the ending does not tell the format; name the file .toml or .yaml, or give --config-format toml|yaml"
        )
    return chosen


def parse_text(text: str, file_format: FileFormat) -> Any:
    """What the text of a file says, in plain Python values; None if it is empty YAML.

    Raises:
        ValueError, YAMLError: It is not in that format (TOMLKitError is a ValueError).
    """
    if file_format == "toml":
        return _plain_toml(tomlkit.parse(text))
    from wazuh_dfn.config.yaml_document import yaml_values  # noqa: PLC0415

    return yaml_values(text)


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


def _read_yaml(path: Path, text: str) -> tuple[Any, dict[tuple[str, ...], int]]:
    from wazuh_dfn.config.yaml_document import read_yaml  # noqa: PLC0415

    return read_yaml(path, text)


def _read_toml(path: Path, text: str) -> tuple[Any, dict[tuple[str, ...], int]]:
    try:
        values = parse_text(text, "toml")
    except ParseError as error:
        reason = re.sub(r" at line \d+ col \d+$", "", str(error)).rstrip(".")
        raise ConfigurationError(f"{path}:{error.line}: this is no TOML (column {error.col}): {reason}; mend this line") from error
    except (TOMLKitError, ValueError) as error:
        line = line_of_repeated_key(text)
        place = f"{path}:{line}" if line else str(path)
        raise ConfigurationError(f"{place}: this is no TOML: {str(error).rstrip('.')}; mend this line") from error
    return values, toml_lines(text)


def _plain_toml(item: Any) -> Any:
    if isinstance(item, Mapping):
        return {str(key): _plain_toml(value) for key, value in item.items()}
    if isinstance(item, list):
        return [_plain_toml(value) for value in item]
    if isinstance(item, tomlkit.items.Integer) and item.as_string().startswith("+"):
        return item.as_string()
    return item.unwrap() if isinstance(item, tomlkit.items.Item) else item
