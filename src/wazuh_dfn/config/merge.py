"""Which value wins: a flag over an environment variable over the file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from wazuh_dfn.config.findings import Finding, about_key, about_value, show
from wazuh_dfn.config.keys import KNOWN_KEYS, SECTIONS, SETTINGS_KEYS, KeyPath, dotted, flag_name, nearest, suggestion, variable_name
from wazuh_dfn.config.legacy import LEGACY_KEYS
from wazuh_dfn.config.model import Settings
from wazuh_dfn.config.sources import Document

PRODUCER_CONFIG: KeyPath = ("kafka", "producer_config")
"""The one key whose value is a table; as a text it is JSON."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value and where it came from (`FILE:LINE`, an environment variable, a flag); `places` is that of each key of a table."""

    value: Any
    place: str
    places: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Merged:
    """The values that won, with what is to be said about all of them."""

    values: dict[KeyPath, Given]
    findings: list[Finding]
    warnings: list[str]


def merge(document: Document | None, environ: Mapping[str, str], overrides: Mapping[str, Any]) -> Merged:
    """Take each key's value from the source that wins.

    Args:
        document: The file, if there is one.
        environ: The environment; an empty variable counts as not set.
        overrides: Values of flags by `section.key`; None counts as not given.
    """
    findings: list[Finding] = []
    warnings: list[str] = []
    in_file = _from_file(document, findings) if document else {}
    in_environment = _from_environment(environ, findings)
    merged = {**in_file, **in_environment, **_from_flags(overrides, findings)}
    for key in in_file.keys() & in_environment.keys() - LEGACY_KEYS.keys():
        if not _same(key, in_file[key].value, in_environment[key].value):
            winner = merged[key]
            warnings.append(
                f"{dotted(key)}: {winner.place} ({show(key, winner.value)}) wins over {in_file[key].place} ({show(key, in_file[key].value)})"
                + ("" if winner is in_environment[key] else f" and {in_environment[key].place}")
            )
    return Merged(merged, findings, sorted(warnings))


def _from_file(document: Document, findings: list[Finding]) -> dict[KeyPath, Given]:
    found: dict[KeyPath, Given] = {}
    for section, table in document.values.items():
        path = (section,)
        if section not in SECTIONS:
            findings.append(about_key(document.place(path), path, f"unknown section; {_section_hint(section)}"))
        elif table is not None and not isinstance(table, dict):
            findings.append(about_key(document.place(path), path, f"this must be a section; write [{section}] with keys below it"))
        else:
            for key, value in _entries(path, table or {}):
                if key not in KNOWN_KEYS:
                    findings.append(about_key(document.place(key), key, f"unknown key; {suggestion(key)}"))
                elif value is not None:
                    places = {str(name): document.place((*key, str(name))) for name in value} if isinstance(value, dict) else {}
                    found[key] = Given(value, document.place(key), places)
    return found


def _entries(path: KeyPath, table: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Any]]:
    for name, value in table.items():
        key = (*path, name)
        if key == ("health", "api") and (value is None or isinstance(value, dict)):
            yield from _entries(key, value or {})
        else:
            yield key, value


def _section_hint(name: str) -> str:
    home = next((key for key in SETTINGS_KEYS if key[-1] == name), None)
    return f"did you mean {dotted(home) if home else nearest(name, SECTIONS)}?"


def _from_environment(environ: Mapping[str, str], findings: list[Finding]) -> dict[KeyPath, Given]:
    found = {}
    for key in KNOWN_KEYS:
        name = variable_name(key)
        if value := environ.get(name, "").strip():
            found[key] = Given(value, f"environment variable {name}")
    return _with_tables(found, findings)


def _from_flags(overrides: Mapping[str, Any], findings: list[Finding]) -> dict[KeyPath, Given]:
    found = {}
    for name, value in overrides.items():
        key = tuple(name.split("."))
        if key not in KNOWN_KEYS:
            findings.append(about_key("command line", key, f"unknown key; did you mean {nearest(name, map(dotted, KNOWN_KEYS))}?"))
        elif value is not None:
            found[key] = Given(value, f"flag {flag_name(key)}")
    return _with_tables(found, findings)


def _with_tables(found: dict[KeyPath, Given], findings: list[Finding]) -> dict[KeyPath, Given]:
    """Read the one table from its JSON."""
    given = found.get(PRODUCER_CONFIG)
    if given is not None and isinstance(given.value, str):
        try:
            found[PRODUCER_CONFIG] = Given(json.loads(given.value), given.place)
        except ValueError:
            del found[PRODUCER_CONFIG]
            findings.append(
                about_value(given.place, PRODUCER_CONFIG, given.value, 'this is no JSON; allowed: an object like {"linger_ms": 5}')
            )
    return found


def _same(key: KeyPath, first: Any, second: Any) -> bool:
    """Whether two values mean the same to the model, like "60" and 60."""
    try:
        one, other = (Settings.model_validate({key[0]: {key[1]: value}}) for value in (first, second))
    except ValidationError:
        return str(first) == str(second)
    return one == other
