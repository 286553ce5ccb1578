"""Which value wins: a flag over an environment variable over the file. The sources are ours, the merging is pydantic-settings'.

Its own sources can't be used: they read no line numbers, demand that every variable with a prefix of ours is one of ours (a machine may
well have a KAFKA_HOME), and can't express the variables of version 0.23, whose names follow no rule.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from wazuh_dfn.config.document import Document
from wazuh_dfn.config.findings import show
from wazuh_dfn.config.given import Given, flattened, nested
from wazuh_dfn.config.keys import KNOWN_KEYS, SECTION_PATHS, KeyPath, dotted, flag_name, is_list, is_table, variable_name
from wazuh_dfn.config.legacy import LEGACY_KEYS
from wazuh_dfn.config.model import Settings


class _Merged(BaseSettings):
    """The values by section, each a `Given`; what they may be is checked later, so that all findings come at once."""

    model_config = SettingsConfigDict(extra="allow")


class Source(PydanticBaseSettingsSource):
    """Where values come from; `given` has all that it gives."""

    def __init__(self, given: Iterable[tuple[KeyPath, Given]]) -> None:
        super().__init__(_Merged)
        self.given = dict(given)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - the base class has it
        """Nothing: a source here gives all of its values at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """All values by section, for pydantic-settings."""
        return nested(self.given)


def file_source(document: Document | None) -> Source:
    """The configuration file; a key whose value is null counts as not given."""
    return Source(_entries(document, (), document.values) if document else ())


def variable_source(environ: Mapping[str, str]) -> Source:
    """The environment; an empty variable counts as not set."""
    texts = {key: environ.get(variable_name(key), "").strip() for key in KNOWN_KEYS}
    return Source((key, Given(_from_text(key, text), f"environment variable {variable_name(key)}")) for key, text in texts.items() if text)


def flag_source(overrides: Mapping[str, Any]) -> Source:
    """The command line: values by `section.key`; None counts as not given."""
    values = {tuple(name.split(".")): value for name, value in overrides.items() if value is not None}
    places = {key: f"flag {flag_name(key)}" for key in KNOWN_KEYS}
    return Source((key, Given(_from_text(key, value), places.get(key, "command line"))) for key, value in values.items())


def merge(*sources: Source) -> dict[KeyPath, Given]:
    """Take each key's value from the first source that has one.

    A value that stands where a section belongs is kept too, to be refused: a section of another source would hide it.
    """
    misplaced = {key: given for source in sources for key, given in source.given.items() if key in SECTION_PATHS}
    return {**dict(flattened(_Merged(_build_sources=(sources, {})).model_extra or {})), **misplaced}


def disagreements(file: Source, variables: Source, merged: Mapping[KeyPath, Given]) -> list[str]:
    """Say which value won where a file and a variable mean different things."""
    warnings = []
    for key in sorted(file.given.keys() & variables.given.keys() - LEGACY_KEYS.keys()):
        in_file, in_variable, winner = file.given[key], variables.given[key], merged[key]
        if not _same(key, in_file.value, in_variable.value):
            warnings.append(
                f"{dotted(key)}: {winner.place} ({show(key, winner.value)}) wins over {in_file.place} ({show(key, in_file.value)})"
                + ("" if winner is in_variable else f" and {in_variable.place}")
            )
    return warnings


def _entries(document: Document, path: KeyPath, table: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Given]]:
    for name, value in table.items():
        key = (*path, name)
        if key in SECTION_PATHS and (value is None or isinstance(value, dict)):
            yield from _entries(document, key, value or {})
        elif value is not None or key not in KNOWN_KEYS:
            places = {str(inner): document.place((*key, str(inner))) for inner in value} if isinstance(value, dict) else {}
            yield key, Given(value, document.place(key), places)


def _from_text(key: KeyPath, value: Any) -> Any:
    """Read a table, and a list in brackets, from its JSON; what is none is left for the model to refuse."""
    if not isinstance(value, str) or not (is_table(key) or (is_list(key) and value.startswith("["))):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _same(key: KeyPath, first: Any, second: Any) -> bool:
    """Whether two values mean the same to the model, like "60" and 60."""
    try:
        one, other = (Settings.model_validate(nested({key: value})) for value in (first, second))
    except ValidationError:
        return str(first) == str(second)
    return one == other
