"""`wazuh-dfn run`, with the flags of version 0.23."""

from __future__ import annotations

import faulthandler
import functools
from typing import Annotated, Any

import anyio
from cyclopts import App, Parameter

from wazuh_dfn import exit_codes
from wazuh_dfn.commands.settings_source import NO_FLAGS, FlaggedSettingsSource, with_flags
from wazuh_dfn.config.documents import FileFormat
from wazuh_dfn.config.loading import LoadedSettings
from wazuh_dfn.config.paths import check_paths
from wazuh_dfn.daemon.run_daemon import run_daemon
from wazuh_dfn.logs import configure_logs, log_warnings

_Switch = Parameter(negative=(), show_default=False)


def run(
    *,
    source: Annotated[FlaggedSettingsSource, Parameter(name="*")] = NO_FLAGS,
    skip_path_validation: Annotated[bool, _Switch] = False,
    print_config_only: Annotated[bool, _Switch] = False,
    generate_sample_config: Annotated[bool, _Switch] = False,
    output_format: FileFormat = "toml",
    help_all: Annotated[bool, _Switch] = False,
) -> int:
    """Run the daemon in the foreground. This is the default command if only flags are given.

    SIGHUP reloads the configuration. Log level, own networks, event IDs and certificates take effect. The log lists changes that need a
    restart. SIGTERM and SIGINT deliver what was read, then exit with code 0. A second signal stops at once with exit code 130. Nothing is
    lost then, the next start sends again what was not acknowledged. Exit code 1: the daemon gave up after too many failures. Exit code 2:
    the configuration is invalid.

    A flag overrides an environment variable, which overrides the file. Each key of the file has a flag. --help-all shows all flags.

    Parameters
    ----------
    skip_path_validation: bool
        Start without checking that certificates are readable and that the folders for checkpoint and dead letters are writable.
    print_config_only: bool
        Print the effective settings and where each comes from, like "config show", and exit.
    generate_sample_config: bool
        Print a commented sample of the configuration file, like "config sample", and exit.
    output_format: str
        The format of that sample.
    help_all: bool
        Show the flags of all keys, and exit.
    """
    if help_all:
        _help_all()
    elif generate_sample_config or print_config_only:
        from wazuh_dfn.commands.config import print_sample, print_settings  # noqa: PLC0415 - the daemon starts sooner without it

        if generate_sample_config:
            print_sample(output_format)
        else:
            print_settings(source.load(to_run=False))
    else:
        _run(source, checks_paths=not skip_path_validation)
    return exit_codes.OK


def _run(source: FlaggedSettingsSource, *, checks_paths: bool) -> None:
    def load() -> LoadedSettings:
        loaded = source.load()
        if checks_paths:
            check_paths(loaded.settings)
        return loaded

    loaded = load()
    configure_logs(loaded.settings)
    log_warnings(loaded.warnings)
    faulthandler.enable()  # systemd's watchdog ends a hanging process with SIGABRT, and this prints where it hung
    anyio.run(run_daemon, loaded.settings, lambda: load().settings)


def _help_all() -> None:
    """Print the help of a copy of `run` that shows all flags, because a flag cannot be hidden conditionally."""

    @functools.wraps(run)
    def run_with_all_flags(**_: Any) -> None: ...

    run_with_all_flags.__annotations__ = {**run.__annotations__, "source": Annotated[with_flags(show_all=True), Parameter(name="*")]}
    App(name="wazuh-dfn run", default_command=run_with_all_flags, help_flags=(), version_flags=()).help_print([])
