"""Which settings can change while the daemon runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wazuh_dfn.config.keys import SETTINGS_KEYS, KeyPath, value_of
from wazuh_dfn.config.model import Settings

RELOADABLE: frozenset[KeyPath] = frozenset(
    {
        ("log", "level"),
        ("misc", "own_network"),
        ("wazuh", "windows_event_ids"),
        ("dfn", "dfn_ca"),
        ("dfn", "dfn_cert"),
        ("dfn", "dfn_crl"),
        ("dfn", "dfn_key"),
        ("dfn", "dfn_key_password"),
    }
)


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The settings to go on with, which keys changed in them, and which changes have to wait for a restart."""

    settings: Settings
    changed: tuple[KeyPath, ...]
    need_restart: tuple[KeyPath, ...]


def reloaded(old: Settings, new: Settings) -> Reloaded:
    """Take from `new` what can change while the daemon runs. Whether TLS is used at all can't."""
    differing = tuple(key for key in SETTINGS_KEYS if value_of(old, key) != value_of(new, key))
    usable = RELOADABLE if old.uses_tls == new.uses_tls else {key for key in RELOADABLE if key[0] != "dfn"}
    changed = tuple(key for key in differing if key in usable)
    updates: dict[str, dict[str, Any]] = {}
    for section, name in changed:
        updates.setdefault(section, {})[name] = value_of(new, (section, name))
    sections = {section: getattr(old, section).model_copy(update=values) for section, values in updates.items()}
    return Reloaded(old.model_copy(update=sections), changed, tuple(key for key in differing if key not in usable))
