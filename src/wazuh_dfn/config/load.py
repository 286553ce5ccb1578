"""Loading the settings from a file, the environment and flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from wazuh_dfn.config.document import FileFormat, read_document
from wazuh_dfn.config.findings import Finding, about_key
from wazuh_dfn.config.given import Given
from wazuh_dfn.config.keys import KeyPath
from wazuh_dfn.config.model import Settings
from wazuh_dfn.config.rules import broken_rules, cautions
from wazuh_dfn.config.sources import disagreements, file_source, flag_source, merge, variable_source
from wazuh_dfn.config.translate import translate
from wazuh_dfn.config.validate import validate
from wazuh_dfn.errors import ConfigurationError

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
        path: The configuration file; None for none.
        file_format: Its format; None tells it by the file's ending.
        environ: The environment.
        overrides: Values of flags by `section.key`; None counts as not given.
        to_run: Whether to demand what delivering needs: a topic, and certificates or the decision to go without.

    Raises:
        ConfigurationError: Something is wrong; the text names every finding, one a line.
    """
    file = file_source(None if path is None else read_document(path, file_format))
    variables = variable_source(environ)
    merged = merge(flag_source(overrides), variables, file)
    values, legacy_warnings = translate(merged)
    settings, findings = validate(values)
    if to_run:
        findings += _broken(settings, findings, values, "configuration" if path is None else str(path))
    if findings:
        raise ConfigurationError("\n".join(finding.text for finding in findings))
    warnings = (*disagreements(file, variables, merged), *legacy_warnings, *(cautions(settings) if to_run else ()))
    return LoadedSettings(settings, warnings, {key: given.place for key, given in values.items()})


def _broken(settings: Settings, findings: list[Finding], values: dict[KeyPath, Given], label: str) -> list[Finding]:
    """Findings across sections, without those that follow from another finding."""
    bad = {key for finding in findings for key in finding.keys}
    broken = [(keys, text) for keys, text in broken_rules(settings) if bad.isdisjoint(keys)]
    return [about_key(values[keys[0]].place if keys[0] in values else label, keys[0], text) for keys, text in broken]
