"""Loading the settings: a flag wins over an environment variable, that over the file, that over the default."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from wazuh_dfn.config.documents import Document, FileFormat, Given, KeyPath, dotted, read_document
from wazuh_dfn.config.legacy_keys import LEGACY_KEYS, PRODUCER_CONFIG, translate
from wazuh_dfn.config.setting_findings import broken_rules, cautions, show, validate
from wazuh_dfn.config.settings import KNOWN_KEYS, SECTION_PATHS, Settings, flag_name, is_list, variable_name
from wazuh_dfn.errors import ConfigurationError

Values = dict[KeyPath, Given]
"""The values of one source, or of all of them merged."""

_NO_OVERRIDES: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings, and what the log should warn about at start: one line each.

    `places` tells where a value came from (`FILE:LINE`, an environment variable, a flag), for each key that has not its default.
    """

    settings: Settings
    warnings: tuple[str, ...]
    places: Mapping[KeyPath, str] = MappingProxyType({})


def load_settings(
    path: Path | None,
    *,
    file_format: FileFormat | None = None,
    environ: Mapping[str, str],
    overrides: Mapping[str, Any] = _NO_OVERRIDES,
    to_run: bool = True,
) -> LoadedSettings:
    """Load and check the settings: a flag wins over an environment variable, that over the file, that over the default.

    Args:
        path: The configuration file, None for none.
        file_format: Its format, None to go by the file's ending.
        environ: The environment. An empty variable counts as not set.
        overrides: Values of flags by `section.key`. None counts as not given.
        to_run: Whether to demand what delivering needs: a topic, and certificates or the decision to go without.

    Raises:
        ConfigurationError: Something is wrong. The text names every finding, one per line.
    """
    document = None if path is None else read_document(path, file_format)
    file = dict(_from_file(document, (), document.values)) if document else {}
    variables = _from_environment(environ)
    merged = {**file, **variables, **_from_flags(overrides)}
    values, legacy_warnings = translate(merged)
    settings, findings = validate(values)
    if to_run:
        findings += broken_rules(settings, findings, values, "configuration" if path is None else str(path))
    if findings:
        raise ConfigurationError(*(finding.text for finding in findings))
    warnings = (*_disagreements(file, variables, merged), *legacy_warnings, *(cautions(settings) if to_run else ()))
    return LoadedSettings(settings, warnings, {key: given.place for key, given in values.items()})


def _from_environment(environ: Mapping[str, str]) -> Values:
    texts = {key: environ.get(variable_name(key), "").strip() for key in KNOWN_KEYS}
    return {key: Given(_from_text(key, text), f"environment variable {variable_name(key)}") for key, text in texts.items() if text}


def _from_flags(overrides: Mapping[str, Any]) -> Values:
    values = {tuple(name.split(".")): value for name, value in overrides.items() if value is not None}
    places = {key: f"flag {flag_name(key)}" for key in KNOWN_KEYS}
    return {key: Given(_from_text(key, value), places.get(key, "command line")) for key, value in values.items()}


def _from_file(document: Document, path: KeyPath, table: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Given]]:
    """Yield the values of the file's table at `path`. A key whose value is null counts as not given."""
    for name, value in table.items():
        key = (*path, name)
        if key in SECTION_PATHS and (value is None or isinstance(value, dict)):
            yield from _from_file(document, key, value or {})
        elif value is not None or key not in KNOWN_KEYS:
            places = {str(inner): document.place((*key, str(inner))) for inner in value} if isinstance(value, dict) else {}
            yield key, Given(value, document.place(key), places)


def _disagreements(file: Values, variables: Values, merged: Values) -> list[str]:
    """Return a warning on which value won, for each key to which a file and a variable give different values."""
    warnings = []
    for key in sorted(file.keys() & variables.keys() - LEGACY_KEYS.keys()):
        in_file, in_variable, winner = file[key], variables[key], merged[key]
        if not _same(key, in_file.value, in_variable.value):
            warnings.append(
                f"{dotted(key)}: {winner.place} ({show(key, winner.value)}) wins over {in_file.place} ({show(key, in_file.value)})"
                + ("" if winner is in_variable else f" and {in_variable.place}")
            )
    return warnings


def _from_text(key: KeyPath, value: Any) -> Any:
    """Read a table, and a list in brackets, from its JSON. What is not JSON is left for the model to refuse."""
    if not isinstance(value, str) or not (key == PRODUCER_CONFIG or (is_list(key) and value.startswith("["))):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _same(key: KeyPath, first: Any, second: Any) -> bool:
    """Whether two values mean the same to the model, like "60" and 60."""
    try:
        one, other = (Settings.of({key: value}) for value in (first, second))
    except ValidationError:
        return str(first) == str(second)
    return one == other
