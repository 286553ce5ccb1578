"""Converting a configuration file: YAML to TOML and back, comments included."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ruamel.yaml.error import YAMLError

from wazuh_dfn.config.document import FileFormat, file_format_of, parse_text, read_document
from wazuh_dfn.config.keys import KeyPath
from wazuh_dfn.config.layout import Comments, Entry, Table, switched_off
from wazuh_dfn.config.read_toml_layout import read_toml_layout
from wazuh_dfn.config.read_yaml_layout import read_yaml_layout
from wazuh_dfn.config.write_layout import write_layout
from wazuh_dfn.errors import ConfigurationError


def convert_file(old: Path, new: Path) -> None:
    """Write what `old` says to `new`, in the format that its ending tells; it gets the permissions of `old`.

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
    """Say what a file says in another format.

    Raises:
        tomlkit.exceptions.TOMLKitError, ruamel.yaml.error.YAMLError: The text is not in the `old` format.
    """
    root = _read_layout(text, old)
    _restore_switched_off(root, (), old)
    return write_layout(root, new)


def _read_layout(text: str, file_format: FileFormat) -> Table:
    reader = read_toml_layout if file_format == "toml" else read_yaml_layout
    return reader(text, parse_text(text, file_format) or {})


def _restore_switched_off(table: Table, path: KeyPath, file_format: FileFormat) -> None:
    """Make entries of the comments that are known keys with values, so that they are written in the other format too."""
    items: list[Entry | Table] = []
    for item in table.items:
        item.before = _take_switched_off(item.before, path, file_format, items)
        items.append(item)
        if isinstance(item, Table):
            _restore_switched_off(item, (*path, item.name), file_format)
    table.after = _take_switched_off(table.after, path, file_format, items)
    table.items = items


def _take_switched_off(comments: Comments, path: KeyPath, file_format: FileFormat, items: list[Entry | Table]) -> Comments:
    left: Comments = []
    for line in comments:
        text = switched_off(line, path)
        entry = _entry(text, file_format) if text else None
        if entry is None:
            left.append(line)
        else:
            items.append(Entry(entry.name, entry.value, left, entry.beside, active=False))
            left = []
    return left


def _entry(text: str, file_format: FileFormat) -> Entry | None:
    """The entry that a line would be; None if it is prose."""
    try:
        items = _read_layout(text, file_format).items
    except (ValueError, YAMLError):
        return None
    return items[0] if len(items) == 1 and isinstance(items[0], Entry) else None


def _without_null(value: Any) -> Any:
    """What TOML can say: no null. A table with nothing in it says nothing either; in YAML it is null."""
    if not isinstance(value, dict):
        return value
    said = {name: _without_null(inner) for name, inner in value.items()}
    return {name: inner for name, inner in said.items() if inner not in (None, {})}
