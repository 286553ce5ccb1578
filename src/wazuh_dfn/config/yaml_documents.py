"""What a YAML file says, and on which lines, for `documents`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node

from wazuh_dfn.errors import ConfigurationError

_REPEATED = re.compile(r'found duplicate key "([^"]*)"')


class _Constructor(SafeConstructor):
    """Keeps the plus sign of a number, which means something in a list of event ids."""

    def construct_signed_int(self, node: Any) -> Any:
        return node.value if str(node.value).startswith("+") else self.construct_yaml_int(node)


_Constructor.add_constructor("tag:yaml.org,2002:int", _Constructor.construct_signed_int)


def read_yaml(path: Path, text: str) -> tuple[Any, dict[tuple[str, ...], int]]:
    """Return the values (None if the file is empty), and the lines (from 1) where tables and keys stand.

    Raises:
        ConfigurationError: It is no YAML. The text is one line that says where and what to do.
    """
    try:
        return _values(text), dict(_lines(YAML(typ="safe", pure=True).compose(text)))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        repeated = _REPEATED.match(error.problem or "") if isinstance(error, DuplicateKeyError) else None
        reason = f"the key {repeated[1]} stands here for the second time" if repeated else error.problem
        column = f" (column {mark.column + 1})" if mark else ""
        raise ConfigurationError(f"{place}: this is no YAML{column}: {reason}; mend this line") from error
    except (YAMLError, ValueError) as error:
        reason = str(error).split("\n", 1)[0]
        raise ConfigurationError(f"{path}: this is no YAML: {reason}; mend the file") from error


def _values(text: str) -> Any:
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    return _text_keys(yaml.load(text))


def _text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _text_keys(item) for key, item in value.items()}
    return [_text_keys(item) for item in value] if isinstance(value, list) else value


def _lines(node: Node | None, table: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    for key, value in node.value if isinstance(node, MappingNode) else ():
        path = (*table, str(key.value))
        yield path, key.start_mark.line + 1
        yield from _lines(value, path)
