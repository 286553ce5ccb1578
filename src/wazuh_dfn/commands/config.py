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

config = App(name="config", help="Show, check, convert the configuration, or make a sample of it.")
_Switch = Parameter(negative=(), show_default=False)


@config.command
def show(
    *,
    source: Annotated[FlaggedSettingsSource, Parameter(name="*")] = NO_FLAGS,
    as_json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False)] = False,
) -> int:
    """Print the effective settings and where each comes from: a flag, an environment variable, file and line, or the default.

    What is printed is TOML, and may serve as a configuration file; secrets are masked. Warnings go to stderr. Flags count as with `run`.

    Parameters
    ----------
    as_json: bool
        Print one JSON document instead.
    """
    print_settings(source.load(to_run=False), as_json=as_json)
    return exit_codes.OK


@config.command
def check(
    *, source: Annotated[FlaggedSettingsSource, Parameter(name="*")] = NO_FLAGS, skip_path_validation: Annotated[bool, _Switch] = False
) -> int:
    """Check the configuration as `run` does, and print one line a finding. Exit code 0: nothing is wrong; 2: something is.

    Parameters
    ----------
    skip_path_validation: bool
        Don't check that certificates can be read and that the folders for checkpoint and dead letters can be written.
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
        print("ok: nothing is wrong")  # noqa: T201 - the command's result
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
    """Write a YAML configuration file as TOML, or TOML as YAML. Comments are kept, except those of a value on several lines.

    A comment within such a list or table is moved below it or lost, and so is one behind its last line.

    The endings (.toml, .yaml, .yml) tell the formats. A file that exists already is not overwritten.

    Parameters
    ----------
    old: Path
        The file to read.
    new: Path
        The file to write.
    """
    convert_file(old, new)
    errors.print(f"{new} says the same as {old}", markup=False)
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
