"""`wazuh-dfn config show|check|sample|convert`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from wazuh_dfn import exit_codes
from wazuh_dfn.commands.settings_source import NO_FLAGS, FlaggedSettingsSource
from wazuh_dfn.commands.terminal import errors
from wazuh_dfn.config.convert import convert_file
from wazuh_dfn.config.documents import FileFormat
from wazuh_dfn.config.loading import LoadedSettings
from wazuh_dfn.config.paths import check_paths
from wazuh_dfn.config.presentation import effective, effective_text
from wazuh_dfn.config.presentation import sample as sample_text
from wazuh_dfn.errors import ConfigurationError

config = App(name="config", help="Show, check or convert the configuration, or print a sample of it.")
_Switch = Parameter(negative=(), show_default=False)


@config.command
def show(
    *,
    source: Annotated[FlaggedSettingsSource, Parameter(name="*")] = NO_FLAGS,
    as_json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False)] = False,
) -> int:
    """Print the effective settings and where each comes from: a flag, an environment variable, file and line, or the default.

    The output is TOML and can be used as a configuration file. Secrets are masked. Warnings go to stderr. Flags apply as with `run`.

    Parameters
    ----------
    as_json: bool
        Print one JSON document instead of TOML.
    """
    print_settings(source.load(to_run=False), as_json=as_json)
    return exit_codes.OK


@config.command
def check(
    *, source: Annotated[FlaggedSettingsSource, Parameter(name="*")] = NO_FLAGS, skip_path_validation: Annotated[bool, _Switch] = False
) -> int:
    """Check the configuration as `run` does, and print one line per finding. Exit code 0: no errors. Exit code 2: errors or invalid usage.

    Parameters
    ----------
    skip_path_validation: bool
        Skip the check that certificates are readable and that the folders for checkpoint and dead letters are writable.
    """
    try:
        loaded = source.load()
        for warning in loaded.warnings:
            print(f"warning: {warning}")  # noqa: T201 - the command's result
        if not skip_path_validation:
            check_paths(loaded.settings)
    except ConfigurationError as error:
        for finding in error.findings:
            print(f"error: {finding}")  # noqa: T201 - the command's result
        return exit_codes.USAGE
    if not loaded.warnings:
        print("ok: no errors")  # noqa: T201 - the command's result
    return exit_codes.OK


@config.command
def sample(*, file_format: Annotated[FileFormat, Parameter(name=["--format", "--output-format"])] = "toml") -> int:
    """Print a commented sample of the configuration file, with all keys and their defaults.

    Parameters
    ----------
    file_format: str
        TOML or YAML.
    """
    print_sample(file_format)
    return exit_codes.OK


@config.command
def convert(old: Path, new: Path, /) -> int:
    """Convert a YAML configuration file to TOML, or TOML to YAML. Comments are kept, except those in values that span several lines.

    A comment inside such a list or table, or after its last line, is moved below it or lost.

    The file extensions (.toml, .yaml, .yml) determine the formats. An existing file is not overwritten.

    Parameters
    ----------
    old: Path
        The file to read.
    new: Path
        The file to write.
    """
    convert_file(old, new)
    errors.print(f"wrote {new}, equivalent to {old}", markup=False)
    return exit_codes.OK


def print_settings(loaded: LoadedSettings, *, as_json: bool = False) -> None:
    """Print the effective settings to standard output, and warnings to stderr."""
    rows = effective(loaded)
    if as_json:
        document = {"settings": [row.as_dict() for row in rows], "warnings": loaded.warnings}
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        return
    sys.stdout.write(effective_text(rows))
    for warning in loaded.warnings:
        errors.print(f"warning: {warning}", style="yellow", markup=False)


def print_sample(file_format: FileFormat) -> None:
    """Print the sample to standard output."""
    sys.stdout.write(sample_text(file_format))
