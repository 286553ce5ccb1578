"""Parameters of every command that needs the settings: the configuration file, and a flag for each key."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from wazuh_dfn.config.documents import FileFormat, KeyPath, dotted
from wazuh_dfn.config.legacy_keys import LEGACY_KEYS
from wazuh_dfn.config.loading import LoadedSettings, load_settings
from wazuh_dfn.config.setting_findings import show
from wazuh_dfn.config.setting_types import default_of, described
from wazuh_dfn.config.settings import FIELDS, FLAG_KEYS, Settings, flag_name, is_list, is_switch

_IMPORTANT: frozenset[KeyPath] = frozenset(
    {
        ("dfn", "dfn_broker"),
        ("dfn", "dfn_id"),
        ("dfn", "dfn_cert"),
        ("dfn", "dfn_key"),
        ("dfn", "dfn_ca"),
        ("wazuh", "json_alert_file"),
        ("wazuh", "checkpoint_file"),
        ("wazuh", "failed_alerts_path"),
        ("log", "level"),
        ("log", "format"),
        ("log", "file_path"),
        ("misc", "own_network"),
    }
)
"""Keys whose flags `--help` shows. `--help-all` shows all."""


@dataclass(frozen=True, kw_only=True)
class SettingsSource:
    """Options of the command line that say what the settings are."""

    config: Annotated[Path | None, Parameter(name=["--config", "-c"], help="The configuration file, TOML or YAML.")] = None
    config_format: Annotated[
        FileFormat | None,
        Parameter(name=["--config-format", "-t"], help="Format of the file, if its extension is not .toml, .yaml or .yml."),
    ] = None

    def load(self, *, to_run: bool = True) -> LoadedSettings:
        """Load the settings from the flags, the environment and the file.

        Raises:
            ConfigurationError: The configuration is invalid. The text lists all findings, one per line.
        """
        given = {dotted(key): getattr(self, _attribute(key), None) for key in FLAG_KEYS}
        flags = {name: ",".join(value) if isinstance(value, tuple) else value for name, value in given.items()}
        return load_settings(self.config, file_format=self.config_format, environ=os.environ, overrides=flags, to_run=to_run)


def with_flags(*, show_all: bool = False) -> type[SettingsSource]:
    """Create the class with a flag for each key that has one. `--help` shows the important flags, or all with `show_all`."""
    fields = [(_attribute(key), _flag(key, show=show_all or key in _IMPORTANT), field(default=None)) for key in FLAG_KEYS]
    return make_dataclass("FlaggedSettingsSource", fields, bases=(SettingsSource,), frozen=True, kw_only=True)


def _attribute(key: KeyPath) -> str:
    return "_".join(key)


def _flag(key: KeyPath, *, show: bool) -> Any:
    kind: Any = bool if is_switch(key) else tuple[str, ...] if is_list(key) else str
    name = flag_name(key)
    parameter = Parameter(
        name=name,
        negative=name.replace("--", "--no-", 1) if is_switch(key) else (),
        metavar=None if is_switch(key) else "VALUE",
        help=_help(key),
        group=_GROUPS[key[0]],
        show=show,
    )
    return Annotated[kind | None, parameter]


def _help(key: KeyPath) -> str:
    if key in LEGACY_KEYS:
        return f"Of version 0.23; {LEGACY_KEYS[key]}."
    default = default_of(FIELDS[key])
    return described(FIELDS[key]) + ("" if default in (None, "", [], {}) else f" Default: {show(key, default)}.")


_GROUPS = {name: Group(f"\\[{name}] {field.description}") for name, field in Settings.model_fields.items()}

if TYPE_CHECKING:
    FlaggedSettingsSource = SettingsSource
else:
    FlaggedSettingsSource = with_flags()

NO_FLAGS = FlaggedSettingsSource()
"""Default value for the settings parameter of a command, which cyclopts requires."""
