"""Loading the settings from a file, the environment and flags."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from wazuh_dfn.config.document import FileFormat, read_document
from wazuh_dfn.config.findings import Finding, about_key
from wazuh_dfn.config.given import Given
from wazuh_dfn.config.keys import KeyPath, dotted
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


def check_paths(settings: Settings) -> None:
    """Check that the files for TLS can be read, and that the folders of checkpoint and dead letters can be made and written.

    Nothing is made or written by this.

    Raises:
        ConfigurationError: The text names every path that can't be used, one a line.
    """
    problems = []
    if settings.uses_tls:
        problems += [_unreadable(("dfn", name), getattr(settings.dfn, name)) for name in ("dfn_cert", "dfn_key", "dfn_ca")]
    if settings.health.api.enabled and settings.health.api.https_enabled:
        problems += [_unreadable(("health", "api", name), getattr(settings.health.api, name)) for name in ("cert_file", "key_file")]
    problems.append(unwritable(("wazuh", "checkpoint_file"), settings.wazuh.checkpoint_file.parent))
    problems.append(unwritable(("wazuh", "failed_alerts_path"), settings.wazuh.failed_alerts_path))
    if found := [problem for problem in problems if problem]:
        raise ConfigurationError("\n".join(found))


def _unreadable(key: KeyPath, path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        return f"{dotted(key)} = {str(path)!r}: can't be read ({error.strerror}); put the file there, or let the daemon's user read it"
    return None


def unwritable(key: KeyPath, folder: Path) -> str | None:
    """Say why the folder of a setting can't be made or written to by this user, and after the last "; " what to do; None if it can."""
    nearest = folder
    while not _exists(nearest) and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        return f"{dotted(key)}: {folder} can't be a folder, because {nearest} is a file; name another place"
    if not os.access(nearest, os.W_OK | os.X_OK):
        what = "can't be written to" if nearest == folder else f"can't be made in {nearest}"
        return f"{dotted(key)}: the folder {folder} {what}; let the daemon's user write there, or name another place"
    return None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return False
